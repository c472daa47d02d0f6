import type { Session, Vigil, VigilState } from '../core/types.js';

/** The user's sessions, as far as they are known. */
export interface SessionListState {
  readonly sessions: readonly Session[];
  readonly loading: boolean;
  readonly error: Error | null;
}

/** The list of one client, shared by all components that show it, and kept up to date while there are any. */
export interface SessionList {
  getState(): SessionListState;
  subscribe(listener: () => void): () => void;
  /** Asks again, unless it is nobody's list any more. Resolves when the answer is there, and never rejects: what went wrong is in the state. */
  refresh(): Promise<void>;
  /** Takes out what has just ended, and asks again. */
  drop(gone: (session: Session) => boolean): void;
}

/** Nothing is known yet. */
export const loading: SessionListState = { sessions: [], loading: true, error: null };

const over: SessionListState = { sessions: [], loading: false, error: null };

/** Whose list it is: the user's, nobody's yet (empty), or nobody's any more (null): it has ended, or the client has given up. */
const ownerOf = ({ status, session, error }: VigilState) =>
  status === 'ended' || (status === 'idle' && error) ? null : (session?.userId ?? '');

const blank = (owner: string | null) => (owner === null ? over : loading);

/** Makes the list of a client. */
export function createSessionList(client: Vigil): SessionList {
  const listeners = new Set<() => void>();
  const owner = () => ownerOf(client.getState());
  let known: { owner: string | null; state: SessionListState } = { owner: '', state: loading };
  let sessionId: string | undefined;
  let live = false;
  let asked: Promise<void> | null = null;
  let stale = false; // what has been asked is no longer what there is

  // Never the list of another user, not for one frame: nobody may have been listening when they changed.
  const getState = () => (known.owner === owner() ? known.state : blank(owner()));

  function set(state: SessionListState): void {
    known = { owner: owner(), state };
    for (const listener of [...listeners]) listener();
  }

  /** One request at a time. What happens meanwhile makes its answer stale, and it is asked again. */
  async function ask(): Promise<void> {
    do {
      stale = false;
      const of = owner();
      const before = getState();
      if (!before.loading && before.sessions.length === 0) set({ ...before, loading: true });
      const answer = await client.sessions().then(
        (sessions) => ({ sessions, loading: false, error: null }),
        (error: Error) => ({ ...getState(), loading: false, error }),
      );
      if (!stale && of === owner()) set(answer);
    } while (stale && owner());
    asked = null;
  }

  async function refresh(): Promise<void> {
    if (owner() === null) return; // the answer could only be that it is over, which the state says already
    stale = true;
    return (asked ??= ask());
  }

  function drop(gone: (session: Session) => boolean): void {
    const state = getState();
    set({ ...state, sessions: state.sessions.filter((session) => !gone(session)) });
    void refresh();
  }

  /** Asks for the list of whoever is signed in, and again where events may have been missed. */
  function follow(): void {
    const { session, status } = client.getState();
    const joined = status === 'live' && !live;
    const changed = session?.id !== sessionId;
    live = status === 'live';
    sessionId = session?.id;
    if (known.owner !== owner()) set(blank(owner()));
    if (owner() && (joined || changed)) void refresh();
  }

  function attach(): () => void {
    live = false;
    follow();
    const detach = [
      client.subscribe(follow),
      client.on('started', () => void refresh()),
      client.on('closed', (event) => drop(({ id }) => id === event.sessionId)),
    ];
    return () => detach.forEach((off) => off());
  }

  let detach = () => {};
  return {
    getState,
    subscribe(listener) {
      const own = () => listener(); // so that one function may listen twice
      if (listeners.size === 0) detach = attach();
      listeners.add(own);
      return () => {
        if (listeners.delete(own) && listeners.size === 0) detach();
      };
    },
    refresh,
    drop,
  };
}
