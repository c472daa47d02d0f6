'use client';

import type { Schemas } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { withQuery, type SecurityEvent } from './api';

const PAGE_SIZE = 15;

interface State {
  events: SecurityEvent[];
  next: string | undefined;
  loading: boolean;
  error: unknown;
}

const START: State = { events: [], next: undefined, loading: true, error: null };

/** The pages of an audit trail that have been asked for, one after the other. */
export function useEvents(path: '/v1/events' | '/v1/admin/events') {
  const { client, session } = useVigil();
  const [state, setState] = useState(START);
  const asked = useRef(0);

  const load = useCallback(
    async (before: SecurityEvent[], pageToken?: string) => {
      const turn = ++asked.current; // an answer to an earlier question comes too late
      setState((state) => ({ ...state, loading: true, error: null }));
      try {
        const page = await client.request<Schemas['EventList']>('GET', withQuery(path, { pageSize: PAGE_SIZE, pageToken }));
        if (turn === asked.current) setState({ events: [...before, ...page.events], next: page.nextPageToken, loading: false, error: null });
      } catch (error) {
        if (turn === asked.current) setState((state) => ({ ...state, loading: false, error }));
      }
    },
    [client, path],
  );

  // Anew for another sign-in: a change of the account has just added lines.
  const id = session?.id;
  useEffect(() => {
    if (id) void load([]);
  }, [id, load]);

  return {
    events: state.events,
    loading: state.loading,
    error: state.error,
    hasMore: state.next !== undefined,
    loadMore: () => load(state.events, state.next),
    refresh: () => load([]),
  };
}
