// Gemini Code Assist as its command-line client uses it.
import { codeAssist, json } from './codeassist.mjs';

const reset = '2026-01-02T03:04:05Z';
export default codeAssist('GeminiCli', [
  { method: 'POST', path: '/v1internal:retrieveUserQuota', op: 'usage', serve: (ctx, out) => json(out, 200, { buckets: [
    { modelId: 'mock-1', tokenType: 'REQUESTS', remainingFraction: 0.25, remainingAmount: '250', resetTime: reset },
    { modelId: 'mock-2', tokenType: 'REQUESTS', remainingFraction: 1, resetTime: reset }], project: ctx.body?.project }) },
]);
