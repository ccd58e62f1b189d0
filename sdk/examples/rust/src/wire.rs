// SPDX-License-Identifier: MIT
//! Echo's answers as the four protocols write them.

use crate::abi::*;

pub const MODEL: &str = "echo";

pub struct Answer {
    pub protocol: i32,
    pub operation: i32,
    pub id: String,
    pub model: String,
    pub text: String,
    pub created: i64,
    pub tokens: i64,
    pub include_usage: bool,
    pub sse: bool,
}

/// `text` as a JSON string.
fn q(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

impl Answer {
    // ---- Chat Completions ----

    fn chat_usage(&self) -> String {
        let n = self.tokens;
        format!(r#"{{"prompt_tokens":{n},"completion_tokens":{n},"total_tokens":{}}}"#, 2 * n)
    }

    fn chat_head(&self, object: &str) -> String {
        format!(
            r#"{{"id":"chatcmpl-{}","object":"{object}","created":{},"model":{},"choices":["#,
            self.id,
            self.created,
            q(&self.model)
        )
    }

    fn chat_chunk(&self, delta: &str, finish: &str) -> String {
        let usage = if self.include_usage { r#","usage":null"# } else { "" };
        format!(
            "data: {}{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}]{usage}}}\n\n",
            self.chat_head("chat.completion.chunk")
        )
    }

    fn chat_end(&self) -> String {
        let mut out = self.chat_chunk("", "\"stop\"");
        if self.include_usage {
            out += &format!("data: {}],\"usage\":{}}}\n\n", self.chat_head("chat.completion.chunk"), self.chat_usage());
        }
        out + "data: [DONE]\n\n"
    }

    fn chat_whole(&self) -> String {
        format!(
            r#"{}{{"index":0,"message":{{"role":"assistant","content":{},"refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{}}}"#,
            self.chat_head("chat.completion"),
            q(&self.text),
            self.chat_usage()
        )
    }

    // ---- Responses ----

    fn response_part(&self, text: &str) -> String {
        format!(r#"{{"type":"output_text","text":{},"annotations":[],"logprobs":[]}}"#, q(text))
    }

    fn response_item(&self, done: bool) -> String {
        format!(
            r#"{{"id":"msg_{}","type":"message","status":"{}","role":"assistant","content":[{}]}}"#,
            self.id,
            if done { "completed" } else { "in_progress" },
            if done { self.response_part(&self.text) } else { String::new() }
        )
    }

    fn response_object(&self, done: bool) -> String {
        let n = self.tokens;
        let usage = format!(
            r#"{{"input_tokens":{n},"input_tokens_details":{{"cached_tokens":0}},"output_tokens":{n},"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":{}}}"#,
            2 * n
        );
        format!(
            concat!(
                r#"{{"id":"resp_{}","object":"response","created_at":{},"status":"{}","error":null,"incomplete_details":null,"#,
                r#""instructions":null,"max_output_tokens":null,"metadata":{{}},"model":{},"output":[{}],"parallel_tool_calls":true,"#,
                r#""previous_response_id":null,"reasoning":{{"effort":null,"summary":null}},"store":false,"temperature":1.0,"#,
                r#""text":{{"format":{{"type":"text"}}}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","#,
                r#""usage":{},"user":null}}"#
            ),
            self.id,
            self.created,
            if done { "completed" } else { "in_progress" },
            q(&self.model),
            if done { self.response_item(true) } else { String::new() },
            if done { &usage } else { "null" }
        )
    }

    fn response_event(&self, kind: &str, members: &str, sequence: &mut i64) -> String {
        let n = *sequence;
        *sequence += 1;
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{n},{members}}}\n\n")
    }

    fn response_place(&self) -> String {
        format!(r#""item_id":"msg_{}","output_index":0,"content_index":0"#, self.id)
    }

    fn response_begin(&self, n: &mut i64) -> String {
        let object = format!("\"response\":{}", self.response_object(false));
        let mut out = self.response_event("response.created", &object, n);
        out += &self.response_event("response.in_progress", &object, n);
        let item = format!("\"output_index\":0,\"item\":{}", self.response_item(false));
        out += &self.response_event("response.output_item.added", &item, n);
        let part = format!("{},\"part\":{}", self.response_place(), self.response_part(""));
        out + &self.response_event("response.content_part.added", &part, n)
    }

    fn response_delta(&self, piece: &str, n: &mut i64) -> String {
        let members = format!("{},\"delta\":{},\"logprobs\":[]", self.response_place(), q(piece));
        self.response_event("response.output_text.delta", &members, n)
    }

    fn response_end(&self, n: &mut i64) -> String {
        let text = format!("{},\"text\":{},\"logprobs\":[]", self.response_place(), q(&self.text));
        let mut out = self.response_event("response.output_text.done", &text, n);
        let part = format!("{},\"part\":{}", self.response_place(), self.response_part(&self.text));
        out += &self.response_event("response.content_part.done", &part, n);
        let item = format!("\"output_index\":0,\"item\":{}", self.response_item(true));
        out += &self.response_event("response.output_item.done", &item, n);
        let object = format!("\"response\":{}", self.response_object(true));
        out + &self.response_event("response.completed", &object, n)
    }

    // ---- Messages ----

    fn claude_message(&self, done: bool) -> String {
        format!(
            r#"{{"id":"msg_{}","type":"message","role":"assistant","model":{},"content":[{}],"stop_reason":{},"stop_sequence":null,"usage":{{"input_tokens":{},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{}}}}}"#,
            self.id,
            q(&self.model),
            if done { format!(r#"{{"type":"text","text":{}}}"#, q(&self.text)) } else { String::new() },
            if done { "\"end_turn\"" } else { "null" },
            self.tokens,
            if done { self.tokens } else { 1 }
        )
    }

    fn claude_event(kind: &str, members: &str) -> String {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{members}}}\n\n")
    }

    fn claude_begin(&self) -> String {
        Self::claude_event("message_start", &format!(",\"message\":{}", self.claude_message(false)))
            + &Self::claude_event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#)
            + &Self::claude_event("ping", "")
    }

    fn claude_delta(piece: &str) -> String {
        let members = format!(r#","index":0,"delta":{{"type":"text_delta","text":{}}}"#, q(piece));
        Self::claude_event("content_block_delta", &members)
    }

    fn claude_end(&self) -> String {
        let delta = format!(
            r#","delta":{{"stop_reason":"end_turn","stop_sequence":null}},"usage":{{"output_tokens":{}}}"#,
            self.tokens
        );
        Self::claude_event("content_block_stop", ",\"index\":0")
            + &Self::claude_event("message_delta", &delta)
            + &Self::claude_event("message_stop", "")
    }

    // ---- generateContent ----

    fn gemini_object(&self, text: &str, done: bool) -> String {
        let n = self.tokens;
        format!(
            r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":{}}}]}}{},"index":0}}],"usageMetadata":{{"promptTokenCount":{n},"candidatesTokenCount":{n},"totalTokenCount":{}}},"modelVersion":{},"responseId":"{}"}}"#,
            q(text),
            if done { r#","finishReason":"STOP""# } else { "" },
            2 * n,
            q(&self.model),
            self.id
        )
    }

    fn gemini_element(&self, text: &str, first: bool, done: bool) -> String {
        let object = self.gemini_object(text, done);
        match (self.sse, first, done) {
            (true, _, _) => format!("data: {object}\r\n\r\n"),
            (_, first, done) => {
                format!("{}{object}{}", if first { "[" } else { ",\n" }, if done { "\n]" } else { "\n" })
            }
        }
    }

    // ---- all of them ----

    pub fn whole(&self) -> String {
        match self.protocol {
            CLAUDE => self.claude_message(true),
            OPENAI_CHAT => self.chat_whole(),
            OPENAI_RESPONSE => self.response_object(true),
            _ => self.gemini_object(&self.text, true),
        }
    }

    pub fn begin(&self, sequence: &mut i64) -> String {
        match self.protocol {
            CLAUDE => self.claude_begin(),
            OPENAI_CHAT => self.chat_chunk(r#""role":"assistant","content":"","refusal":null"#, "null"),
            OPENAI_RESPONSE => self.response_begin(sequence),
            _ => String::new(),
        }
    }

    pub fn delta(&self, piece: &str, first: bool, sequence: &mut i64) -> String {
        match self.protocol {
            CLAUDE => Self::claude_delta(piece),
            OPENAI_CHAT => self.chat_chunk(&format!("\"content\":{}", q(piece)), "null"),
            OPENAI_RESPONSE => self.response_delta(piece, sequence),
            _ => self.gemini_element(piece, first, false),
        }
    }

    pub fn end(&self, sequence: &mut i64) -> String {
        match self.protocol {
            CLAUDE => self.claude_end(),
            OPENAI_CHAT => self.chat_end(),
            OPENAI_RESPONSE => self.response_end(sequence),
            _ => self.gemini_element("", self.text.is_empty(), true),
        }
    }

    fn model_object(&self) -> String {
        match self.protocol {
            CLAUDE => format!(
                r#"{{"type":"model","id":"{MODEL}","display_name":"Echo","created_at":"2026-01-01T00:00:00Z"}}"#
            ),
            GEMINI => format!(
                r#"{{"name":"models/{MODEL}","version":"001","displayName":"Echo","description":"Answers with the last text of the user","inputTokenLimit":1000000,"outputTokenLimit":1000000,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}}"#
            ),
            _ => format!(r#"{{"id":"{MODEL}","object":"model","created":1767225600,"owned_by":"gproxy"}}"#),
        }
    }

    fn no_such_model(&self) -> &'static str {
        match self.protocol {
            CLAUDE => r#"{"type":"error","error":{"type":"not_found_error","message":"no such model"}}"#,
            GEMINI => r#"{"error":{"code":404,"message":"no such model","status":"NOT_FOUND"}}"#,
            _ => r#"{"error":{"message":"no such model","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#,
        }
    }

    /// Counts and the model list and get, with the HTTP status.
    pub fn other(&self) -> (i32, String) {
        let n = self.tokens;
        match (self.operation, self.protocol) {
            (MODEL_LIST, CLAUDE) => (
                200,
                format!(r#"{{"data":[{}],"has_more":false,"first_id":"{MODEL}","last_id":"{MODEL}"}}"#, self.model_object()),
            ),
            (MODEL_LIST, GEMINI) => (200, format!(r#"{{"models":[{}]}}"#, self.model_object())),
            (MODEL_LIST, _) => (200, format!(r#"{{"object":"list","data":[{}]}}"#, self.model_object())),
            (MODEL_GET, _) if self.model != MODEL => (404, self.no_such_model().to_string()),
            (MODEL_GET, _) => (200, self.model_object()),
            (_, CLAUDE) => (200, format!(r#"{{"input_tokens":{n}}}"#)),
            (_, GEMINI) => (200, format!(r#"{{"totalTokens":{n}}}"#)),
            _ => (200, format!(r#"{{"object":"response.input_tokens","input_tokens":{n}}}"#)),
        }
    }
}
