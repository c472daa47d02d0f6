'use client';

import { usePathname, useSearchParams } from 'next/navigation';
import { withQuery } from './api';

/** The page's parameters, in its address, so that a reload or a way back finds them again. Empty ones are left out. */
export function useQuery(): [URLSearchParams, (patch: Record<string, string>) => void] {
  const current = useSearchParams();
  const path = usePathname();
  // Next.js follows the history: the page need not be fetched again.
  const change = (patch: Record<string, string>) => window.history.replaceState(null, '', withQuery(path, { ...Object.fromEntries(current), ...patch }));
  return [current, change];
}
