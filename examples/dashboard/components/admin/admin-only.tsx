'use client';

import { useRouter } from 'next/navigation';
import { useEffect, type ReactNode } from 'react';
import { useAccount } from '../account';

/** Hides from others what they could not load anyway: the service looks the right up at each request. */
export function AdminOnly({ children }: { children: ReactNode }) {
  const { isAdmin } = useAccount();
  const router = useRouter();
  useEffect(() => {
    if (!isAdmin) router.replace('/');
  }, [isAdmin, router]);
  return isAdmin ? children : null;
}
