'use client';

import { Button, Container, Group, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDeviceLaptop } from '@tabler/icons-react';
import type { Session } from '@vigilhq/client';
import { useSessions, useVigil } from '@vigilhq/client/react';
import { useState } from 'react';
import { Dialog } from '@/components/dialog';
import { EndButton } from '@/components/end-button';
import { SessionRow } from '@/components/session-row';
import { Empty, Facts, Failed, Loading, PageTitle, Section } from '@/components/states';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';

/** Where the account is signed in. */
export default function SessionsPage() {
  const { t } = useWords();
  const { sessions, error, end, refresh } = useSessions();
  const format = useFormat();
  const report = useReport();

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
        actions={<EndOthers count={others.length} />}
      >
        {sessions.length === 0 ? (
          // One's own is always among them: without it, nothing is known about the others.
          error ? <Failed text={t.sessions.loadError} onRetry={refresh} /> : <Loading />
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

/** Ends all other sessions, after a question. */
function EndOthers({ count }: { count: number }) {
  const { t } = useWords();
  const { endOthers } = useSessions();
  const report = useReport();
  const [asking, setAsking] = useState(false);
  const [ending, setEnding] = useState(false);
  const close = () => setAsking(false);

  const confirm = async () => {
    close();
    setEnding(true);
    try {
      notifications.show({ color: 'green', message: t.sessions.endedMany(await endOthers()) });
    } catch (cause) {
      report(cause);
    } finally {
      setEnding(false);
    }
  };

  return (
    <>
      {count > 0 && (
        <Button variant="light" color="red" size="xs" onClick={() => setAsking(true)} loading={ending}>{t.sessions.endOthers}</Button>
      )}
      <Dialog stackId="others" opened={asking} onClose={close} title={t.sessions.endOthersTitle}>
        <Stack>
          <Text size="sm">{t.sessions.endOthersText(count)}</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>{t.cancel}</Button>
            <Button color="red" onClick={confirm}>{t.sessions.endOthersConfirm}</Button>
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}

/** How many sessions there are, and how long this one lasts. */
function Summary({ count }: { count: number }) {
  const { t } = useWords();
  const { session, expiresAt, idleDeadline } = useVigil();
  const format = useFormat();
  const idle = session && idleDeadline ? Date.parse(session.idleDeadline) - Date.parse(session.lastActive) : null;
  return (
    <Section label={t.sessions.summary}>
      <Facts
        large
        facts={[
          { name: t.sessions.summaryCount, value: count > 0 ? format.number(count) : undefined },
          { name: t.sessions.summaryIdle, value: idle ? format.minutes(idle) : undefined },
          { name: t.sessions.summaryEnd, value: expiresAt ? format.until(expiresAt) : undefined },
        ]}
      />
    </Section>
  );
}
