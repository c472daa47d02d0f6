import { call } from './http.js';
import type { Parts } from './parts.js';
import { claims } from './token.js';
import type { SecurityAlert, Session } from './types.js';

/** What a registration is answered with. */
export interface Registered {
  session: Session;
  alerts?: SecurityAlert[];
}

/** Begins sessions. */
export interface Registration {
  /** Begins the session of a sign-in, once for all who ask for it at the same time. */
  begin(token: string): Promise<void>;
  /** Abandons what is under way: whoever signs in next does not wait for it. */
  abandon(): void;
}

/**
 * @param latest the session that a new sign-in takes the place of
 * @param registered is called with each answer, which may be one that nobody waits for any more
 */
export function createRegistration(
  { options, base, platform }: Parts,
  latest: () => string | undefined,
  registered: (token: string, answer: Registered) => void,
): Registration {
  let current: { signIn: string; abort: AbortController; done: Promise<void> } | undefined;

  return {
    begin(token) {
      const { signIn } = claims(token);
      if (current?.signIn === signIn) return current.done;
      const abort = new AbortController();
      const post = async () => {
        const { deviceName, device } = options;
        try {
          registered(token, await call(platform(), `${base}/v1/sessions`, 'POST', token, { deviceName, device, replaces: latest() }, abort));
        } finally {
          if (current?.abort === abort) current = undefined;
        }
      };
      // One after the other: the later sign-in takes the place of the earlier one's session.
      const before = current?.done.catch(() => {});
      current = { signIn, abort, done: before ? before.then(post) : post() };
      return current.done;
    },
    abandon() {
      current?.abort.abort();
      current = undefined;
    },
  };
}
