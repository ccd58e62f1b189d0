// Antigravity: the same envelope, models and quota from fetchAvailableModels.
import { codeAssist, json } from './codeassist.mjs';

const reset = '2026-01-02T03:04:05Z';
export default codeAssist('Antigravity', [
  { method: 'POST', path: '/v1internal:fetchAvailableModels', op: 'models', serve: (ctx, out) => json(out, 200, { models: ctx.sim.state.models ?? {
    'mock-2': { displayName: 'Mock Two', maxTokens: 2000, maxOutputTokens: 500, quotaInfo: { remainingFraction: 0.5, resetTime: reset } },
    'mock-1': { quotaInfo: { remainingFraction: 0, resetTime: reset } } } }) },
]);
