/**
 * The server's door: asks the service whether a request may pass. For Next.js' route handlers, server actions and
 * `proxy.ts`, and for any other server that has `fetch` and its `Headers`. It imports nothing of Next.js.
 *
 * @module @vigilhq/client/next
 */
export { VigilRefusal } from './refusal.js';
export { requireSession, type CheckedSession, type HeadersLike, type RequireSessionOptions } from './require-session.js';
