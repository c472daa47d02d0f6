import type { EndReason } from './types.js';

/** What the client reads of a problem document. */
interface Problem {
  code?: string;
  detail?: string;
  reason?: EndReason;
  maxAge?: number;
  requestId?: string;
  errors?: { field: string; message: string }[];
}

/** A request that the service has refused, or that did not reach it. */
export class VigilError extends Error {
  override readonly name = 'VigilError';

  constructor(
    /** The HTTP status, 0 when there was no answer. */
    readonly status: number,
    /** The stable word of the problem document, such as `reauth_required`; `unavailable` when there was no answer. */
    readonly code: string,
    message: string,
    /** What else the problem document says. */
    readonly details: {
      /** Why the session ended. */
      reason?: EndReason;
      /** Of `reauth_required`: how old the sign-in may be, in seconds. 0: this sign-in is spent. */
      maxAge?: number;
      /** When to try again, in seconds. */
      retryAfter?: number;
      /** What the service's log calls the request. */
      requestId?: string;
      /** The fields that are wrong. */
      errors?: { field: string; message: string }[];
    } = {},
  ) {
    super(message);
  }

  /**
   * What the answer to a `fetch` says: of the service, or of a server that passes on what the service says (`VigilRefusal.response`).
   * It reads the body, and never rejects. An answer without a problem document, such as a proxy's page, is `unavailable`.
   */
  static async from(response: Response): Promise<VigilError> {
    const { code, detail, reason, maxAge, requestId, errors } = ((await response.json().catch(() => null)) ?? {}) as Problem;
    const retryAfter = Number(response.headers.get('Retry-After')) || undefined;
    return new VigilError(response.status, (!response.ok && typeof code === 'string' && code) || 'unavailable', detail ?? `${response.url}: ${response.status}`, {
      ...(reason && { reason }),
      ...(maxAge !== undefined && { maxAge }),
      ...(retryAfter && { retryAfter }),
      ...(requestId && { requestId }),
      ...(errors && { errors }),
    });
  }
}
