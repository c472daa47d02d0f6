'use client';

import { Badge, Code, Group, SimpleGrid, Skeleton, Text } from '@mantine/core';
import { IconServerBolt } from '@tabler/icons-react';
import type { CheckedSession } from '@vigilhq/client/next';
import { useVigil } from '@vigilhq/client/react';
import { useCallback, useEffect, useState } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { Failed, Section } from './states';

/** Asks the dashboard's own back end, which asks Vigil: how an application protects its own routes. */
export function ServerCheck() {
  const { t } = useWords();
  const { session, status } = useVigil();
  const format = useFormat();
  const [checked, setChecked] = useState<CheckedSession | null>(null);
  const [failed, setFailed] = useState(false);

  const check = useCallback(async () => {
    setFailed(false);
    try {
      const answer = await fetch('/api/profile', { cache: 'no-store' }); // the token is in the mirrored cookie
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      setChecked((await answer.json()) as CheckedSession);
    } catch {
      setFailed(true);
    }
  }, []);

  const id = session?.id;
  const live = status === 'live';
  useEffect(() => {
    if (id && live) void check();
  }, [id, live, check]);

  const facts = [
    [t.security.serverUser, checked?.userId],
    [t.security.serverSession, checked && `${checked.sessionId.slice(0, 12)}…`],
    [t.security.serverSince, checked && format.dateTime(checked.authTime * 1000)],
  ] as const;
  return (
    <Section
      title={t.security.server}
      text={t.security.serverText}
      actions={checked && !failed && <Badge color="green" variant="light" leftSection={<IconServerBolt size={13} aria-hidden />}>requireSession</Badge>}
    >
      {failed ? (
        <Failed text={t.security.serverError} onRetry={() => void check()} />
      ) : (
        <SimpleGrid cols={{ base: 1, xs: 3 }} className="row" data-testid="server-check">
          {facts.map(([name, value], index) => (
            <Group key={name} justify="space-between" gap={4}>
              <Text size="sm" c="dimmed" w={{ xs: '100%' }}>{name}</Text>
              {value ? index < 2 ? <Code fz="sm">{value}</Code> : <Text size="sm">{value}</Text> : <Skeleton height={20} width={120} />}
            </Group>
          ))}
        </SimpleGrid>
      )}
    </Section>
  );
}
