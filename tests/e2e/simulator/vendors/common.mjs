// Pieces that several vendors share.
import { error as protocolError, gemini, model } from '../../upstream.mjs';
import { capture } from '../answer.mjs';

export const json = (out, status, value, headers = {}) => { out.writeHead(status, { 'content-type': 'application/json', ...headers }); out.end(JSON.stringify(value)); };

// The body that ../upstream.mjs gives a failure in a protocol, without its headers.
export function errorBody(protocol, status, message) {
  let text;
  protocolError({ writeHead() {}, end(t) { text = t; } }, protocol, status, message);
  return JSON.parse(text);
}

export const keyIn = (header, prefix = '') => (ctx) => {
  const value = ctx.req.headers[header] ?? '';
  return value.startsWith(prefix) && ctx.sim.keys.has(value.slice(prefix.length)) ? undefined : ctx.error(401);
};
export const bearerKey = keyIn('authorization', 'Bearer ');
export const bearerToken = (ctx) => (ctx.sim.oauth.bearer(ctx) ? undefined : ctx.error(401));
export const open = () => undefined;

export const list = (kind, ids) => (kind === 'gemini' ? { models: ids.map((id) => model('gemini', id)) }
  : kind === 'claude' ? { data: ids.map((id) => model('claude', id)), first_id: ids[0], last_id: ids.at(-1), has_more: false }
    : { object: 'list', data: ids.map((id) => model('openai', id)) });

// ------------------------------------------------------------------------------ Google
const words = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 499: 'CANCELLED', 500: 'INTERNAL', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' };

// google.rpc.Status. `reason` is ErrorInfo.reason; a few bring the details that the vendor sends with them.
export function googleError(status, reason, message, domain = 'googleapis.com') {
  const details = [];
  const info = (metadata = {}) => details.push({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain, metadata });
  if (reason === 'QUOTA_EXHAUSTED') info({ model: 'mock-1', quotaResetDelay: '3h2m1.5s', quotaResetTimeStamp: '2026-01-01T03:02:01Z' });
  else if (reason) info();
  if (status === 429) details.push({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: reason === 'QUOTA_EXHAUSTED' ? '10921.5s' : '37s' });
  if (reason === 'DAILY') details.splice(0, details.length, { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: 'GenerateRequestsPerDayPerProjectPerModel' }] });
  return { body: { error: { code: status, message, status: words[status] ?? 'UNKNOWN', ...(details.length ? { details } : {}) } } };
}

// What a Gemini model says, as a captured answer. `frames` are always events where `sse` is set.
export function geminiAnswer(name, action, body, sse) {
  const url = new URL(sse ? 'http://x/?alt=sse' : 'http://x/');
  return capture((out) => gemini(out, name, action, url, body));
}
export const geminiOp = (action) => ({ generateContent: 'generate', streamGenerateContent: 'stream', countTokens: 'count' })[action];
