// SPDX-License-Identifier: MIT
//! The echo provider in Rust: answers each generation with the last text of the user, in all four
//! protocols, whole or piece by piece, without an upstream and without a credential.
//!
//! `abi` mirrors the C headers, `sdk` is the safe layer above them, `wire` writes the answers; this file is
//! what an author of a provider writes.

mod abi;
mod sdk;
mod wire;

use abi::*;
use sdk::{Ask, Fault, Json, Provider, Reply, Stream};
use wire::Answer;

struct Echo {
    delay_ms: i64,
}

const fn local(protocol: i32, operation: i32) -> Route {
    Route { protocol, operation, mode: ROUTE_LOCAL, target: 0 }
}

impl Provider for Echo {
    const ROUTES: &'static [Route] = &[
        local(CLAUDE, GENERATE),
        local(CLAUDE, STREAM_GENERATE),
        local(CLAUDE, COUNT_TOKENS),
        local(CLAUDE, MODEL_LIST),
        local(CLAUDE, MODEL_GET),
        local(OPENAI_CHAT, GENERATE),
        local(OPENAI_CHAT, STREAM_GENERATE),
        local(OPENAI_RESPONSE, GENERATE),
        local(OPENAI_RESPONSE, STREAM_GENERATE),
        local(GEMINI, GENERATE),
        local(GEMINI, STREAM_GENERATE),
        local(GEMINI, COUNT_TOKENS),
        local(GEMINI, MODEL_LIST),
        local(GEMINI, MODEL_GET),
        local(OPENAI, COUNT_TOKENS),
        local(OPENAI, MODEL_LIST),
        local(OPENAI, MODEL_GET),
    ];

    fn create(settings: &Json) -> Result<Echo, Fault> {
        let wrong = Fault {
            status: ERR_INVALID,
            message: "delay_ms must be a whole number from 0 to 10000",
            param: "delay_ms",
        };
        let Some((_, text)) = settings.get("/delay_ms") else {
            return Ok(Echo { delay_ms: 40 });
        };
        match std::str::from_utf8(text).ok().and_then(|t| t.parse::<i64>().ok()) {
            Some(delay_ms) if (0..=10_000).contains(&delay_ms) => Ok(Echo { delay_ms }),
            _ => Err(wrong),
        }
    }

    fn respond(&self, ask: &Ask) -> Result<Reply, Fault> {
        let text = ask.body.map(|body| last_user_text(&body)).unwrap_or_default();
        let sse = ask.protocol != GEMINI || ask.needs_sse || ask.query.windows(7).any(|w| w == b"alt=sse");
        let answer = Answer {
            protocol: ask.protocol,
            operation: ask.operation,
            id: lossy(ask.id),
            model: lossy(ask.model),
            created: ask.now_ms / 1000,
            tokens: text.len() as i64 / 4 + 1,
            text,
            include_usage: ask.include_usage,
            sse,
        };
        Ok(match ask.operation {
            STREAM_GENERATE => {
                let headers = if sse { &sdk::SSE_HEADERS } else { &sdk::JSON_HEADERS };
                let pieces = Pieces { answer, delay_ms: self.delay_ms, sent: 0, count: 0, sequence: 0 };
                Reply::Stream(headers, Box::new(pieces))
            }
            GENERATE => Reply::Whole(200, answer.whole().into_bytes()),
            _ => {
                let (status, body) = answer.other();
                Reply::Whole(status, body.into_bytes())
            }
        })
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// A message's content: a string, or the texts of its parts, joined by line ends.
fn content_text(content: &Json) -> String {
    match content.get("") {
        Some((JSON_STRING, text)) => lossy(text),
        Some((JSON_ARRAY, _)) => content
            .elements()
            .iter()
            .filter_map(|part| part.get("/text").filter(|(kind, _)| *kind == JSON_STRING))
            .map(|(_, text)| lossy(text))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

/// The last text of the user in a request body of any protocol; empty if there is none.
fn last_user_text(body: &Json) -> String {
    for place in ["/messages", "/input", "/contents", "/generateContentRequest/contents"] {
        let Some((kind, text)) = body.get(place) else { continue };
        let list = Json { text, ..*body };
        let last = match kind {
            JSON_STRING => return lossy(text), // Responses: input is one text
            JSON_OBJECT => Some(list),
            _ => list
                .elements()
                .into_iter()
                .filter(|m| matches!(m.get(""), Some((JSON_OBJECT, _))))
                .filter(|m| m.get("/role").map_or(true, |(_, role)| role == b"user"))
                .last(),
        };
        let Some(message) = last else { continue };
        for name in ["/content", "/parts"] {
            if let Some((kind, text)) = message.get(name) {
                return match kind {
                    JSON_STRING => lossy(text),
                    _ => content_text(&Json { text, ..message }),
                };
            }
        }
    }
    String::new()
}

/// A word with its space, or 48 bytes of an unbroken run; never half a character.
fn piece_length(text: &str) -> usize {
    for (i, c) in text.char_indices() {
        if c == ' ' || c == '\n' {
            return i + 1;
        }
        if i >= 48 {
            return i;
        }
    }
    text.len()
}

struct Pieces {
    answer: Answer,
    delay_ms: i64,
    sent: usize,
    count: i64,
    sequence: i64,
}

impl Stream for Pieces {
    /// Beginning with the first piece, then piece by piece, and the end in a piece of its own.
    fn next(&mut self, out: &mut Vec<u8>) -> (i64, bool) {
        if self.count == 0 {
            out.extend(self.answer.begin(&mut self.sequence).bytes());
        }
        let rest = &self.answer.text[self.sent..];
        let last = rest.is_empty();
        if last {
            out.extend(self.answer.end(&mut self.sequence).bytes());
        } else {
            let piece = &rest[..piece_length(rest)];
            out.extend(self.answer.delta(piece, self.sent == 0, &mut self.sequence).bytes());
            self.sent += piece.len();
        }
        self.count += 1;
        (if self.count == 1 { 0 } else { self.delay_ms }, last)
    }
}

static KIND: Kind = Kind {
    size: std::mem::size_of::<Kind>() as u32,
    flags: KIND_USER_CREATED,
    name: Str::new("echo-rust"),
    credential_tag: Str::EMPTY,
    title: Str::new("Echo (Rust example)"),
    gen_ai_name: Str::new("echo"),
    settings_schema: Str::new(concat!(
        r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","additionalProperties":false,"#,
        r#""properties":{"delay_ms":{"type":"integer","minimum":0,"maximum":10000,"default":40,"#,
        r#""title":"Pause between pieces in ms"}}}"#
    )),
    credential_schema: Str::EMPTY,
    aliases: std::ptr::null(),
    alias_count: 0,
    forward_headers: std::ptr::null(),
    forward_header_count: 0,
};
static KINDS: [&Kind; 1] = [&KIND];

static INFO: Info = Info {
    size: std::mem::size_of::<Info>() as u32,
    flags: 0,
    id: Str::new("dev.gproxy.example.echo-rust"),
    name: Str::new("Echo in Rust"),
    version: Str::new("0.1.0"),
    licence: Str::new("MIT"),
    homepage: Str::EMPTY,
    kinds: KINDS.as_ptr(),
    kind_count: 1,
};

module!(Echo, INFO);
