'use client';

import type { Schemas, Session } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useCallback, useEffect, useRef, useState } from 'react';
import { withQuery, type Filter } from './api';

const PAGE_SIZE = 20;

interface State {
  sessions: Session[];
  next: string | undefined;
  loading: boolean;
  error: unknown;
}

const START: State = { sessions: [], next: undefined, loading: true, error: null };

/** A search through all sessions, page by page. A page token says only what comes next, so those of the pages before are kept. */
export function useSearch(filter: Filter) {
  const { client, session } = useVigil();
  const [state, setState] = useState(START);
  const [pages, setPages] = useState<{ filter: Filter; tokens: (string | undefined)[] }>({ filter, tokens: [undefined] });
  const asked = useRef(0);

  const tokens = pages.filter === filter ? pages.tokens : [undefined];
  const token = tokens.at(-1);

  const load = useCallback(async () => {
    const turn = ++asked.current; // an answer to an earlier question comes too late
    setState((state) => ({ ...state, loading: true, error: null }));
    try {
      const page = await client.request<Schemas['SessionPage']>('GET', withQuery('/v1/admin/sessions', { ...filter, pageSize: PAGE_SIZE, pageToken: token }));
      if (turn === asked.current) setState({ sessions: page.sessions, next: page.nextPageToken, loading: false, error: null });
    } catch (error) {
      if (turn === asked.current) setState({ ...START, loading: false, error });
    }
  }, [client, filter, token]);

  const ready = session !== null;
  useEffect(() => {
    if (ready) void load();
  }, [ready, load]);

  return {
    ...state,
    page: tokens.length,
    reload: load,
    goNext: state.next === undefined ? undefined : () => setPages({ filter, tokens: [...tokens, state.next] }),
    goBack: tokens.length === 1 ? undefined : () => setPages({ filter, tokens: tokens.slice(0, -1) }),
  };
}
