// The wire's types, made of the SDK packages' own. What the packages do not say is added here, member by member:
// fields beside the official ones (wire-formats 0.3), and Gemini's REST form, whose package has classes and enums
// where the wire has objects and words.
import type Anthropic from '@anthropic-ai/sdk';
import type * as G from '@google/genai';
import type OpenAI from 'openai';

// ---- Chat Completions
type Thinking = { type: 'thinking'; thinking: string; signature: string } | { type: 'redacted_thinking'; data: string };
type Beside = { reasoning_content?: string; thinking_blocks?: Thinking[] };
type Google = { extra_content?: { google: { thought_signature: string } } };
type Call = OpenAI.ChatCompletionMessageToolCall & Google;
type Message = Omit<OpenAI.ChatCompletionMessage, 'tool_calls'> & { tool_calls?: Call[] } & Beside;
export type ChatAnswer = Omit<OpenAI.ChatCompletion, 'choices'> & { choices: (Omit<OpenAI.ChatCompletion.Choice, 'message'> & { message: Message })[] };
type DeltaCall = OpenAI.ChatCompletionChunk.Choice.Delta.ToolCall & Google;
// The package types function calls only where the protocol streams custom ones too.
type CustomDelta = { index: number; id?: string; type?: 'custom'; custom: { name?: string; input?: string } };
type Delta = Omit<OpenAI.ChatCompletionChunk.Choice.Delta, 'tool_calls'> & Beside & Pick<OpenAI.ChatCompletionMessage, 'annotations' | 'audio'> & { tool_calls?: (DeltaCall | CustomDelta)[] };
export type ChatEvent = (Omit<OpenAI.ChatCompletionChunk, 'choices'> & { choices: (Omit<OpenAI.ChatCompletionChunk.Choice, 'delta'> & { delta: Delta })[] }) | OpenAIError;
type AssistantParam = Omit<OpenAI.ChatCompletionAssistantMessageParam, 'tool_calls'> & { tool_calls?: Call[] } & Beside;
type MessageParam = Exclude<OpenAI.ChatCompletionMessageParam, OpenAI.ChatCompletionAssistantMessageParam> | AssistantParam;
export type ChatRequest = Omit<OpenAI.ChatCompletionCreateParams, 'messages'> & { messages: MessageParam[] };
export type OpenAIError = { error: OpenAI.ErrorObject };
export type ChatModels = { object: 'list'; data: OpenAI.Model[] };
export type ChatModel = OpenAI.Model;

// ---- Responses (output_text is the package's own sum; store is on the wire and not in the package)
export type ResponsesAnswer = Omit<OpenAI.Responses.Response, 'output_text'> & { store?: boolean };
type WithAnswer<E> = E extends { response: OpenAI.Responses.Response } ? Omit<E, 'response'> & { response: ResponsesAnswer } : E;
export type ResponsesEvent = WithAnswer<OpenAI.Responses.ResponseStreamEvent>;
// What the model said goes back without ids and status: an id would be looked up and not be found (1.2, 0.3).
type SaidBefore = Omit<OpenAI.Responses.ResponseOutputMessage, 'id' | 'status'> | Omit<OpenAI.Responses.ResponseReasoningItem, 'id'>;
export type ResponsesRequest = Omit<OpenAI.Responses.ResponseCreateParams, 'input'> & { input?: string | (OpenAI.Responses.ResponseInputItem | SaidBefore)[] };
export type ResponsesCountRequest = OpenAI.Responses.InputTokenCountParams;
export type ResponsesCount = OpenAI.Responses.InputTokenCountResponse;

// ---- Claude Messages
export type ClaudeAnswer = Anthropic.Message;
export type ClaudeEvent = Anthropic.RawMessageStreamEvent | { type: 'ping' } | ClaudeError;
// API version 2023-06-01 has sampling; the package speaks the one after it.
export type ClaudeRequest = Anthropic.MessageCreateParams & { temperature?: number; top_p?: number; top_k?: number };
export type ClaudeCountRequest = Anthropic.MessageCountTokensParams;
export type ClaudeCount = Anthropic.MessageTokensCount;
// The package has a closed list of details; ours is the gateway's own code.
type Coded<E> = E & { details?: { error_code: string } };
export type ClaudeError = Omit<Anthropic.ErrorResponse, 'error'> & { error: Coded<{ [K in Anthropic.ErrorObject['type']]: { type: K; message: string } }[Anthropic.ErrorObject['type']]> };
export type ClaudeModels = { data: ClaudeModel[]; first_id: string | null; last_id: string | null; has_more: boolean };
// Of a foreign model's capabilities one is known.
export type ClaudeModel = Omit<Anthropic.ModelInfo, 'capabilities'> & { capabilities: { thinking: { supported: boolean } } | null };

// ---- Gemini: enums are words, classes are what they hold
type Wire<T> = T extends string ? `${T}` : T extends (infer U)[] ? Wire<U>[] : T extends object ? { [K in keyof T as T[K] extends Function ? never : K]: Wire<T[K]> } : T;
type Answer = Pick<G.GenerateContentResponse, 'candidates' | 'createTime' | 'modelVersion' | 'promptFeedback' | 'responseId' | 'usageMetadata'>;
export type GeminiAnswer = Wire<Answer>;
export type GeminiEvent = GeminiAnswer | GeminiError;
type Config = Omit<G.GenerationConfig, never>;
type Body = { contents: G.Content[]; systemInstruction?: G.Content; tools?: G.Tool[]; toolConfig?: G.ToolConfig; safetySettings?: G.SafetySetting[]; cachedContent?: string; serviceTier?: G.ServiceTier; labels?: Record<string, string>; generationConfig?: Config };
export type GeminiRequest = Wire<Body>;
export type GeminiCountRequest = { contents: Wire<G.Content[]> } | { generateContentRequest: GeminiRequest & { model: string } };
export type GeminiCount = Wire<Pick<G.CountTokensResponse, 'totalTokens' | 'cachedContentTokenCount'>> & { promptTokensDetails?: Wire<G.ModalityTokenCount>[] };
export type GeminiError = { error: { code: number; message: string; status: string; details?: ({ '@type': string } & Record<string, unknown>)[] } };
// The package renames this one on its way; ai.google.dev/api/models has it as it is on the wire.
export type GeminiModel = { name: string; version: string; displayName?: string; description?: string; inputTokenLimit?: number; outputTokenLimit?: number; supportedGenerationMethods: string[]; thinking?: boolean; temperature?: number; maxTemperature?: number; topP?: number; topK?: number };
export type GeminiModels = { models: GeminiModel[]; nextPageToken?: string };
