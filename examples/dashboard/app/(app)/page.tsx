'use client';

import { Button, Card, Container, Group, SimpleGrid, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { IconDeviceLaptop } from '@tabler/icons-react';
import type { Session } from '@vigilhq/client';
import { useSessions, useVigil } from '@vigilhq/client/react';
import { useState } from 'react';
import { EndButton } from '@/components/end-button';
import { SessionRow } from '@/components/session-row';
import { Empty, Failed, Loading, PageTitle, Section } from '@/components/states';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';

/** Where the account is signed in. */
export default function SessionsPage() {
  const { t } = useWords();
  const { sessions, loading, error, end, endOthers, refresh } = useSessions();
  const format = useFormat();
  const report = useReport();
  const [ending, setEnding] = useState(false);

  const own = sessions.find((session) => session.current);
  const others = sessions.filter((session) => !session.current);

  const endOne = async (session: Session) => {
    try {
      await end(session.id);
      notifications.show({ color: 'green', message: t.sessions.endedOne });
    } catch (cause) {
      report(cause);
    }
  };

  const confirmOthers = () =>
    modals.openConfirmModal({
      title: t.sessions.endOthersTitle,
      children: <Text size="sm">{t.sessions.endOthersText(others.length)}</Text>,
      labels: { confirm: t.sessions.endOthersConfirm, cancel: t.cancel },
      confirmProps: { color: 'red' },
      async onConfirm() {
        setEnding(true);
        try {
          notifications.show({ color: 'green', message: t.sessions.endedMany(await endOthers()) });
        } catch (cause) {
          report(cause);
        } finally {
          setEnding(false);
        }
      },
    });

  return (
    <Container size={900} p={0}>
      <PageTitle title={t.sessions.title} subtitle={t.sessions.subtitle} />
      <Summary count={sessions.length} />
      {own && (
        <Section label={t.sessions.thisDevice}>
          <ul className="rows list" aria-label={t.sessions.thisDevice}>
            <SessionRow session={own} />
          </ul>
        </Section>
      )}
      <Section
        title={t.sessions.others}
        actions={others.length > 0 && (
          <Button variant="light" color="red" size="xs" onClick={confirmOthers} loading={ending}>{t.sessions.endOthers}</Button>
        )}
      >
        {loading ? (
          <Loading />
        ) : error && sessions.length === 0 ? (
          <Failed text={t.sessions.loadError} onRetry={() => void refresh()} />
        ) : others.length === 0 ? (
          <Empty icon={IconDeviceLaptop} title={t.sessions.onlyThis} text={t.sessions.onlyThisText} />
        ) : (
          <ul className="rows list" aria-label={t.sessions.others} data-testid="other-sessions">
            {others.map((session) => (
              <SessionRow
                key={session.id}
                session={session}
                action={<EndButton label={t.sessions.endNamed(format.device(session))} onEnd={() => endOne(session)} />}
              />
            ))}
          </ul>
        )}
      </Section>
    </Container>
  );
}

/** How many sessions there are, and how long this one lasts. */
function Summary({ count }: { count: number }) {
  const { t } = useWords();
  const { session, expiresAt, idleDeadline } = useVigil();
  const format = useFormat();
  const idle = session && idleDeadline ? Date.parse(session.idleDeadline) - Date.parse(session.lastActive) : null;
  const facts = [
    [t.sessions.summaryCount, count > 0 ? format.number(count) : '–'],
    [t.sessions.summaryIdle, idle ? format.minutes(idle) : '–'],
    [t.sessions.summaryEnd, expiresAt ? format.until(expiresAt) : '–'],
  ] as const;
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="md" mb="lg">
      {facts.map(([name, value]) => (
        <Card key={name} p="md">
          <Group justify="space-between" gap={4}>
            <Text size="sm" c="dimmed">{name}</Text>
            <Text fw={650} fz={{ base: 'md', xs: 'xl' }} w={{ xs: '100%' }} className="countdown">{value}</Text>
          </Group>
        </Card>
      ))}
    </SimpleGrid>
  );
}
