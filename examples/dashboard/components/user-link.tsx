import { Anchor } from '@mantine/core';
import Link from 'next/link';
import { useWords } from '@/lib/i18n';

/** Leads to the page of a user. */
export function UserLink({ uid }: { uid: string }) {
  const { t } = useWords();
  return (
    <Anchor component={Link} href={`/admin/users/${encodeURIComponent(uid)}`} size="sm" fw={550} aria-label={t.admin.openUser(uid)}>
      {uid}
    </Anchor>
  );
}
