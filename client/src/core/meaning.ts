import type { EndReason } from './types.js';

/** The ends that a new sign-in of this browser brings about: the old one is over, the person is not signed out. */
export const MAY_MOVE: readonly EndReason[] = ['replaced', 'tokens_revoked'];

/** Problems that trying again does not mend. */
export const FATAL = ['token_missing', 'token_invalid', 'session_limit', 'invalid_request'];

/** What a terminal close means when its last frame was lost. */
export const CLOSES: Record<number, EndReason> = { 4502: 'revoked', 4503: 'idle_timeout', 4504: 'absolute_timeout', 4505: 'user_disabled' };
