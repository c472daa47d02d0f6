import { VigilError } from '../core/error.js';

/**
 * A request that may not pass, with the answer that says so. Its `code` and `details` are those of the problem document:
 *
 * - `token_missing`, `token_expired`: the browser has no token or an old one. It may still be signed in: a mirrored cookie is
 *   as old as the last page that was open. Let the page load, and the client renews it.
 * - `reauth_required` with `details.maxAge`: sign in again for this.
 * - `session_required`: the page has not registered its sign-in yet.
 * - any other 401: the session is over.
 * - `rate_limited` (429) and `unavailable` (503): try again. **Sign nobody out on them.**
 */
export class VigilRefusal extends VigilError {
  readonly #body: string;
  readonly #headers: Record<string, string>;

  constructor(status: number, code: string, message: string, details: VigilError['details'], body: string, headers: Record<string, string>) {
    super(status, code, message, details);
    this.#body = body;
    this.#headers = headers;
  }

  /** The answer for the client: a problem document with `WWW-Authenticate` or `Retry-After`. A new one each time. */
  get response(): Response {
    return new Response(this.#body, { status: this.status, headers: this.#headers });
  }
}

/** The problem document of this module's own refusals, in the service's form. */
export function refuse(status: number, code: string, title: string, detail: string, headers: Record<string, string>): VigilRefusal {
  const body = JSON.stringify({ type: `urn:vigil:problem:${code}`, title, status, detail, code });
  const { 'Retry-After': retryAfter } = headers;
  return new VigilRefusal(status, code, detail, retryAfter ? { retryAfter: Number(retryAfter) } : {}, body, {
    'Content-Type': 'application/problem+json',
    'Cache-Control': 'no-store',
    ...headers,
  });
}

/** No token: known without asking, also while the service is down. */
export function tokenMissing(): VigilRefusal {
  return refuse(401, 'token_missing', 'Token missing', 'Send a Firebase ID token as Authorization: Bearer.', {
    'WWW-Authenticate': 'Bearer error="invalid_token"',
  });
}

/** The service has not answered, or not as it does. Why is in `cause`, for the log. */
export function unavailable(cause: unknown, retryAfter = '2'): VigilRefusal {
  const refusal = refuse(503, 'unavailable', 'Unavailable', 'The request cannot be answered right now. Your session is not affected; try again soon.', {
    'Retry-After': retryAfter,
  });
  refusal.cause = cause;
  return refusal;
}
