'use client';

import { Badge, Code } from '@mantine/core';
import { IconServerBolt } from '@tabler/icons-react';
import type { CheckedSession } from '@vigilhq/client/next';
import { useVigil } from '@vigilhq/client/react';
import { useCallback, useEffect, useState } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useAccount } from './account';
import { Facts, Failed, Section } from './states';

/** Asks the dashboard's own back end, which asks Vigil: how an application protects its own routes. */
export function ServerCheck() {
  const { t } = useWords();
  const { user } = useAccount();
  const { session, status } = useVigil();
  const format = useFormat();
  const [checked, setChecked] = useState<CheckedSession | null>(null);
  const [failed, setFailed] = useState(false);

  const check = useCallback(async () => {
    setFailed(false);
    try {
      // Not only the mirrored cookie: all tabs share it, and just after a new sign-in another tab may have the old token still.
      const answer = await fetch('/api/profile', { cache: 'no-store', headers: { Authorization: `Bearer ${await user?.getIdToken()}` } });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      setChecked((await answer.json()) as CheckedSession);
    } catch {
      setFailed(true);
    }
  }, [user]);

  const id = session?.id;
  const live = status === 'live';
  useEffect(() => {
    if (id && live) void check();
  }, [id, live, check]);

  return (
    <Section
      title={t.security.server}
      text={t.security.serverText}
      actions={checked && !failed && <Badge color="green" variant="light" leftSection={<IconServerBolt size={13} aria-hidden />}>requireSession</Badge>}
    >
      {failed ? (
        <Failed text={t.security.serverError} onRetry={check} />
      ) : (
        <Facts
          testId="server-check"
          facts={[
            { name: t.security.serverUser, value: checked && <Code fz="sm">{checked.userId}</Code> },
            { name: t.security.serverSession, value: checked && <Code fz="sm">{checked.sessionId.slice(0, 12)}…</Code> },
            { name: t.security.serverSince, value: checked && format.dateTime(checked.authTime * 1000) },
          ]}
        />
      )}
    </Section>
  );
}
