'use client';

import { Badge, Button, Group, Table, Text, Tooltip } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconChevronLeft, IconChevronRight, IconSearchOff, IconUserX } from '@tabler/icons-react';
import { VigilError, type Session } from '@vigilhq/client';
import { useVigil } from '@vigilhq/client/react';
import { useMemo, useState } from 'react';
import type { Filter } from '@/lib/api';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';
import { useQuery } from '@/lib/query';
import { useSearch } from '@/lib/use-search';
import { EndButton } from '../end-button';
import { Cancelled, useRecent } from '../reauth';
import { DeviceIcon, SessionRow } from '../session-row';
import { Empty, Failed, Loading, Section } from '../states';
import { UserLink } from '../user-link';
import { FIELDS, Filters, NOTHING_ENTERED, type Fields } from './filters';
import { MassRevocation } from './mass-revocation';

/** Finds sessions of all users, and ends them one by one or all that match. */
export function SessionSearch() {
  const { t } = useWords();
  const { client } = useVigil();
  const recent = useRecent();
  const report = useReport();
  const [query, setQuery] = useQuery();
  const fields = fieldsOf(query);
  const entered = JSON.stringify(fields);
  const [searched, setSearched] = useState(0); // "a day ago" is another moment at each search
  const filter = useMemo(() => filterOf(JSON.parse(entered) as Fields), [entered, searched]);
  const [revoking, setRevoking] = useState(false);
  const { sessions, loading, error, page, goNext, goBack, reload } = useSearch(filter);
  const refused = error instanceof VigilError && error.code === 'invalid_request' ? error.details.errors?.[0]?.field : undefined;

  const search = (chosen: Fields) => {
    setQuery({ ...chosen, status: chosen.status === NOTHING_ENTERED.status ? '' : chosen.status });
    setSearched((times) => times + 1);
  };

  const end = async (session: Session) => {
    try {
      await recent(() => client.request('DELETE', `/v1/admin/sessions/${session.id}`));
      notifications.show({ color: 'green', message: t.sessions.endedOne });
      await reload();
    } catch (cause) {
      if (!(cause instanceof Cancelled)) report(cause);
    }
  };

  // Disabled in all but name: a button that is would lose the focus at each page.
  const turn = (go: (() => void) | undefined) => ({ onClick: loading ? undefined : go, 'data-disabled': !go || undefined, 'aria-disabled': !go || undefined });
  const narrow = useMediaQuery('(max-width: 75em)', false, { getInitialValueInEffect: false });
  return (
    <>
      <Filters initial={fields} refused={refused} onSearch={search} />
      <Section
        title={t.admin.tabs.sessions}
        actions={
          filter.status === 'active' && (
            <Button variant="light" color="red" size="xs" leftSection={<IconUserX size={15} aria-hidden />} onClick={() => setRevoking(true)}>{t.admin.mass}</Button>
          )
        }
      >
        {loading && sessions.length === 0 ? (
          <Loading rows={5} />
        ) : error ? (
          refused ? <Empty icon={IconSearchOff} title={t.errors['invalid_request'] ?? ''} text={t.admin.emptyText} /> : <Failed text={t.admin.loadError} onRetry={reload} />
        ) : sessions.length === 0 ? (
          <Empty icon={IconSearchOff} title={goNext ? t.admin.emptyMore : t.admin.empty} text={goNext ? undefined : t.admin.emptyText} />
        ) : narrow ? (
          <ul className="rows list" aria-label={t.admin.tabs.sessions}>
            {sessions.map((session) => <SessionRow key={session.id} session={session} showUser mark={false} action={<End session={session} onEnd={() => end(session)} />} />)}
          </ul>
        ) : (
          <Table.ScrollContainer minWidth={700}>
            <Table verticalSpacing="sm" horizontalSpacing="lg" highlightOnHover aria-busy={loading} style={{ opacity: loading ? 0.6 : 1 }}>
              <Table.Thead>
                <Table.Tr>
                  {[t.admin.columns.device, t.admin.columns.user, t.admin.columns.place, t.admin.columns.activity].map((name) => <Table.Th key={name}>{name}</Table.Th>)}
                  <Table.Th ta="right">{t.admin.columns.actions}</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {sessions.map((session) => <Row key={session.id} session={session} onEnd={() => end(session)} />)}
              </Table.Tbody>
            </Table>
          </Table.ScrollContainer>
        )}
        {(goNext || goBack) && (
          <Group component="nav" justify="space-between" className="row" aria-label={t.admin.pages} style={{ borderTop: '1px solid var(--vigil-border)' }}>
            <Button variant="default" size="xs" {...turn(goBack)} leftSection={<IconChevronLeft size={14} aria-hidden />}>{t.previous}</Button>
            <Text size="sm" c="dimmed" aria-live="polite" data-testid="page">{page}</Text>
            <Button variant="default" size="xs" {...turn(goNext)} rightSection={<IconChevronRight size={14} aria-hidden />}>{t.next}</Button>
          </Group>
        )}
      </Section>
      <MassRevocation opened={revoking} filter={filter} onClose={() => setRevoking(false)} onDone={() => void reload()} />
    </>
  );
}

function fieldsOf(query: URLSearchParams): Fields {
  return Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? NOTHING_ENTERED[name]])) as Fields;
}

/** What the service is asked for: times instead of ages, and without what is empty, which it refuses. */
function filterOf({ inactive, ...fields }: Fields): Filter {
  const activeBefore = Number(inactive) > 0 ? new Date(Date.now() - Number(inactive) * 60_000).toISOString() : '';
  return Object.fromEntries(Object.entries({ ...fields, activeBefore }).filter(([, value]) => value)) as Filter;
}

function Row({ session, onEnd }: { session: Session; onEnd: () => Promise<void> }) {
  const { t } = useWords();
  const format = useFormat();
  return (
    <Table.Tr data-testid="session" data-session={session.id}>
      <Table.Td>
        <Group gap="md" wrap="nowrap">
          <DeviceIcon session={session} size={36} />
          <div style={{ minWidth: 130, overflowWrap: 'anywhere' }}>
            <Text size="sm" fw={600}>{format.device(session)}</Text>
            {session.current && <Badge size="sm" variant="light">{t.sessions.thisDevice}</Badge>}
          </div>
        </Group>
      </Table.Td>
      <Table.Td>
        <UserLink uid={session.userId} />
      </Table.Td>
      <Table.Td>
        <div style={{ minWidth: 130, overflowWrap: 'anywhere' }}>
          <Text size="sm">{format.place(session)}</Text>
          <Text size="xs" c="dimmed">{session.ipAddress || t.unknown}</Text>
        </div>
      </Table.Td>
      <Table.Td>
        <Tooltip label={format.dateTime(session.lastActive)}>
          <Text size="sm" component="time" dateTime={session.lastActive}>{format.relative(session.lastActive)}</Text>
        </Tooltip>
        {session.status === 'ended' && session.endReason && (
          <div><Badge size="sm" variant="light" color="gray">{t.endReason[session.endReason]}</Badge></div>
        )}
      </Table.Td>
      <Table.Td ta="right">
        <End session={session} onEnd={onEnd} />
      </Table.Td>
    </Table.Tr>
  );
}

/** Ends a session that is neither over nor the administrator's own. */
function End({ session, onEnd }: { session: Session; onEnd: () => Promise<void> }) {
  const { t } = useWords();
  const format = useFormat();
  if (session.status !== 'active' || session.current) return null;
  return <EndButton label={t.admin.endOne(session.userId, format.device(session))} onEnd={onEnd} />;
}
