/** Calls what the application has given; its failures are its own, and stop nothing here. */
export function safely<A extends unknown[]>(call: (...args: A) => unknown, ...args: A): void {
  try {
    call(...args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** A value that can be watched: the same object until something changes. */
export interface Store<S> {
  get(): S;
  set(patch: Partial<S>): void;
  /** The listener is called after each change, never within `set`. */
  subscribe(listener: () => void): () => void;
}

/** A store that begins with a value. */
export function createStore<S extends object>(state: S): Store<S> {
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    set(patch) {
      if ((Object.keys(patch) as (keyof S)[]).some((key) => !Object.is(state[key], patch[key]))) {
        state = { ...state, ...patch };
        // In a moment: a listener may start and stop what is in the middle of something.
        queueMicrotask(() => {
          for (const listener of [...listeners]) safely(listener);
        });
      }
    },
    subscribe(listener) {
      const mine = () => listener(); // so that one that is given twice is called twice
      listeners.add(mine);
      return () => void listeners.delete(mine);
    },
  };
}
