import type { EndReason } from './types.js';

/** A request that the service has refused, or that did not reach it. */
export class VigilError extends Error {
  override readonly name = 'VigilError';

  constructor(
    /** The HTTP status, 0 when there was no answer. */
    readonly status: number,
    /** The stable word of the problem document, such as `reauth_required`; `unavailable` when there was no answer. */
    readonly code: string,
    message: string,
    readonly details: {
      /** Why the session ended. */
      reason?: EndReason;
      /** Of `reauth_required`: how old the sign-in may be, in seconds. 0: this sign-in is spent. */
      maxAge?: number;
      /** When to try again, in seconds. */
      retryAfter?: number;
      requestId?: string;
      /** The fields that are wrong. */
      errors?: { field: string; message: string }[];
    } = {},
  ) {
    super(message);
  }
}
