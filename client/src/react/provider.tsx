'use client';

import { createContext, useContext, useMemo, useSyncExternalStore, type ReactNode } from 'react';
import { IDLE } from '../core/parts.js';
import type { Vigil, VigilState } from '../core/types.js';
import { createSessionList, type SessionList } from './session-list.js';

/** What {@link VigilProvider} takes. */
export interface VigilProviderProps {
  /** The page's client, made once, outside of components. */
  client: Vigil;
  /** What may use the hooks. */
  children?: ReactNode;
}

interface Provided {
  client: Vigil;
  list: SessionList;
}

const Context = createContext<Provided | null>(null);

/**
 * Gives the client to the hooks below it. It starts and stops nothing: call `client.start()` when Firebase says that somebody is
 * signed in, and `client.stop()` when nobody is.
 *
 * @example
 * ```tsx
 * useEffect(() => onAuthStateChanged(auth, (user) => (user ? vigil.start() : vigil.stop())), []);
 * return <VigilProvider client={vigil}>{children}</VigilProvider>;
 * ```
 */
export function VigilProvider({ client, children }: VigilProviderProps): ReactNode {
  const provided = useMemo(() => ({ client, list: createSessionList(client) }), [client]);
  return <Context.Provider value={provided}>{children}</Context.Provider>;
}

/** What the provider above gives. */
export function useProvided(): Provided {
  const provided = useContext(Context);
  if (!provided) throw new Error('There is no VigilProvider above this component.');
  return provided;
}

/** A part of the client's state. `select` returns the same value for the same state, or components render for ever. */
export function useSelected<T>(select: (state: VigilState) => T): T {
  const { client } = useProvided();
  return useSyncExternalStore(
    client.subscribe,
    () => select(client.getState()),
    () => select(IDLE), // nothing is known on the server, and so while the page hydrates
  );
}

const whole = (state: VigilState) => state;

/**
 * The client's state, and the client. The component renders again when any of it changes.
 *
 * @throws Error without a {@link VigilProvider}.
 */
export function useVigil(): VigilState & { readonly client: Vigil } {
  const { client } = useProvided();
  const state = useSelected(whole);
  return useMemo(() => ({ ...state, client }), [state, client]);
}
