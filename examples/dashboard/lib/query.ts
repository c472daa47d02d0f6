'use client';

import { usePathname, useRouter, useSearchParams } from 'next/navigation';
import { withQuery } from './api';

/** The page's parameters, in its address, so that a reload or a way back finds them again. Empty ones are left out. */
export function useQuery(): [URLSearchParams, (patch: Record<string, string>) => void] {
  const current = useSearchParams();
  const path = usePathname();
  const router = useRouter();
  const change = (patch: Record<string, string>) => router.replace(withQuery(path, { ...Object.fromEntries(current), ...patch }), { scroll: false });
  return [current, change];
}
