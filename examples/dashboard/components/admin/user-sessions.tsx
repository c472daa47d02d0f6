'use client';

import { ActionIcon, Anchor, Avatar, Button, Container, Group, Menu, Stack, Text, TextInput, Title } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconArrowLeft, IconDeviceLaptop, IconDots, IconHistory, IconLock, IconLockOpen } from '@tabler/icons-react';
import type { Schemas, Session } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import Link from 'next/link';
import { useCallback, useEffect, useState, type FormEvent } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useProblem, useReport } from '@/lib/problems';
import { useBusy } from '@/lib/use-busy';
import { useAccount } from '../account';
import { Dialog } from '../dialog';
import { EndButton } from '../end-button';
import { Cancelled, useRecent } from '../reauth';
import { SessionRow } from '../session-row';
import { DocumentTitle, Empty, Failed, Loading, Section } from '../states';

type Action = 'revoke' | 'disable' | 'enable';

/** One user: what is signed in, what was, and what an administrator can do about it. */
export function UserSessions({ uid }: { uid: string }) {
  const { t } = useWords();
  const { user } = useAccount();
  const { client, session: own } = useVigil();
  const format = useFormat();
  const recent = useRecent();
  const report = useReport();
  const [sessions, setSessions] = useState<Session[] | null>(null);
  const [failed, setFailed] = useState(false);
  const [action, setAction] = useState<Action | null>(null);

  const path = `/v1/admin/users/${encodeURIComponent(uid)}`;
  const load = useCallback(async () => {
    try {
      setSessions((await client.request<Schemas['SessionList']>('GET', `${path}/sessions`)).sessions);
      setFailed(false);
    } catch {
      setFailed(true);
    }
  }, [client, path]);

  const ready = own !== null;
  useEffect(() => {
    if (ready) void load();
  }, [ready, load]);

  const end = async (session: Session) => {
    try {
      await recent(() => client.request('DELETE', `/v1/admin/sessions/${session.id}`));
      notifications.show({ color: 'green', message: t.sessions.endedOne });
      await load();
    } catch (cause) {
      if (!(cause instanceof Cancelled)) report(cause);
    }
  };

  const active = sessions?.filter(({ status }) => status === 'active') ?? [];
  const past = sessions?.filter(({ status }) => status === 'ended') ?? [];
  const self = user?.uid === uid;
  return (
    <Container size={900} p={0}>
      <Anchor component={Link} href="/admin" size="sm" c="dimmed">
        <Group gap={6} component="span"><IconArrowLeft size={15} aria-hidden />{t.userPage.back}</Group>
      </Anchor>
      <Group justify="space-between" mt="md" mb="xl" gap="md">
        <Group wrap="nowrap">
          <Avatar name={uid} color="iris" size={52} radius="xl" />
          <div>
            <DocumentTitle title={t.userPage.title(uid)} />
            <Title order={1} fz={26} lts="-0.02em" style={{ overflowWrap: 'anywhere' }}>{t.userPage.title(uid)}</Title>
            <Text c="dimmed">{sessions ? t.userPage.summary(active.length, sessions.length) : failed ? null : t.loading}</Text>
          </div>
        </Group>
        {self ? (
          <Text size="sm" c="dimmed" maw={300}>{t.userPage.self}</Text>
        ) : (
          <Group gap="xs">
            <Button variant="light" color="red" size="sm" onClick={() => setAction('revoke')}>{t.userPage.revoke}</Button>
            <Menu returnFocus position="bottom-end">
              <Menu.Target>
                <ActionIcon variant="default" size={36} aria-label={t.userPage.more}><IconDots size={18} aria-hidden /></ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<IconLock size={17} aria-hidden />} onClick={() => setAction('disable')}>{t.userPage.disable}</Menu.Item>
                <Menu.Item leftSection={<IconLockOpen size={17} aria-hidden />} onClick={() => setAction('enable')}>{t.userPage.enable}</Menu.Item>
              </Menu.Dropdown>
            </Menu>
          </Group>
        )}
      </Group>
      <Section title={t.userPage.active}>
        {failed ? (
          <Failed text={t.admin.loadError} onRetry={load} />
        ) : sessions === null ? (
          <Loading />
        ) : active.length === 0 ? (
          <Empty icon={IconDeviceLaptop} title={t.userPage.noActive} />
        ) : (
          <ul className="rows list" aria-label={t.userPage.active}>
            {active.map((session) => (
              <SessionRow
                key={session.id}
                session={session}
                action={!session.current && <EndButton label={t.sessions.endNamed(format.device(session))} onEnd={() => end(session)} />}
              />
            ))}
          </ul>
        )}
      </Section>
      {sessions !== null && (
        <Section title={t.userPage.past}>
          {past.length === 0 ? (
            <Empty icon={IconHistory} title={t.userPage.noPast} />
          ) : (
            <ul className="rows list" aria-label={t.userPage.past}>{past.map((session) => <SessionRow key={session.id} session={session} />)}</ul>
          )}
        </Section>
      )}
      <Dialog stackId="user" opened={action !== null} onClose={() => setAction(null)} title={action && t.userPage[`${action}Title`]}>
        {action && <ActionForm action={action} path={path} onClose={() => setAction(null)} onDone={load} />}
      </Dialog>
    </Container>
  );
}

function ActionForm({ action, path, onClose, onDone }: { action: Action; path: string; onClose: () => void; onDone: () => Promise<void> }) {
  const { t } = useWords();
  const { client } = useVigil();
  const recent = useRecent();
  const problem = useProblem();
  const [reason, setReason] = useState('');
  const [busy, run] = useBusy();
  const [error, setError] = useState<string | null>(null);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setError(null);
    void run(async () => {
      const answer = await recent(() => client.request<Schemas['Ended'] | undefined>('POST', `${path}/${action}`, reason ? { reason } : {}));
      const ended = answer?.ended ?? 0;
      notifications.show({
        color: 'green',
        message: action === 'revoke' ? t.userPage.revoked(ended) : action === 'disable' ? t.userPage.disabled(ended) : t.userPage.enabled,
      });
      onClose();
      await onDone();
    }).catch((cause) => {
      if (!(cause instanceof Cancelled)) setError(problem(cause));
    });
  };

  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">{t.userPage[`${action}Text`]}</Text>
        {error && <Text size="sm" c="red" role="alert">{error}</Text>}
        <TextInput label={t.admin.reason} description={t.admin.reasonHint} maxLength={256} value={reason} onChange={(event) => setReason(event.currentTarget.value)} data-autofocus />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>{t.cancel}</Button>
          <Button type="submit" color={action === 'enable' ? undefined : 'red'} loading={busy}>{t.userPage[action]}</Button>
        </Group>
      </Stack>
    </form>
  );
}
