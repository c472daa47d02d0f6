'use client';

import { Badge, Button, Center, Group, Text, ThemeIcon, Tooltip } from '@mantine/core';
import {
  IconAlertTriangle, IconBan, IconHistory, IconKey, IconLogin2, IconLogout, IconMail, IconNetwork, IconSettings, IconTrash, IconUserShield, type Icon,
} from '@tabler/icons-react';
import type { EndReason } from '@vigilhq/client';
import type { SecurityEvent } from '@/lib/api';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { useBusy } from '@/lib/use-busy';
import { useEvents } from '@/lib/use-events';
import { Empty, Failed, Loading } from './states';

const ICONS: Record<string, [Icon, string]> = {
  session_started: [IconLogin2, 'green'],
  session_ended: [IconLogout, 'gray'],
  session_refused: [IconBan, 'red'],
  security_alert: [IconAlertTriangle, 'red'],
  network_learned: [IconNetwork, 'gray'],
  reauth_refused: [IconKey, 'gray'],
  admin_refused: [IconBan, 'red'],
  email_changed: [IconMail, 'iris'],
  password_changed: [IconKey, 'iris'],
  account_deleted: [IconTrash, 'red'],
  user_revoked: [IconUserShield, 'red'],
  user_disabled: [IconBan, 'red'],
  user_enabled: [IconUserShield, 'green'],
  claims_changed: [IconUserShield, 'iris'],
  mass_revocation: [IconUserShield, 'iris'],
  mass_revoked: [IconUserShield, 'red'],
};

/** The audit trail of the user, or with `admin` of everybody, newest first. */
export function EventList({ path, admin = false }: { path: '/v1/events' | '/v1/admin/events'; admin?: boolean }) {
  const { t } = useWords();
  const { events, loading, error, hasMore, loadMore, refresh } = useEvents(path);
  const [, run] = useBusy();
  if (events.length === 0) {
    if (loading) return <Loading rows={4} />;
    if (error) return <Failed text={t.security.eventsError} onRetry={refresh} />;
    return <Empty icon={IconHistory} title={admin ? t.admin.eventsEmpty : t.security.eventsEmpty} text={admin ? undefined : t.security.eventsEmptyText} />;
  }
  return (
    <>
      <ul className="rows list" aria-label={admin ? t.admin.tabs.events : t.security.events}>
        {events.map((event) => <EventRow key={event.id} event={event} admin={admin} />)}
      </ul>
      {error && <Failed text={t.security.eventsError} onRetry={loadMore} />}
      {hasMore && !error && (
        <Center p="md" style={{ borderTop: '1px solid var(--vigil-border)' }}>
          <Button variant="default" size="sm" onClick={() => run(loadMore)} loading={loading}>{t.more}</Button>
        </Center>
      )}
    </>
  );
}

function EventRow({ event, admin }: { event: SecurityEvent; admin: boolean }) {
  const { t } = useWords();
  const format = useFormat();
  const [EventIcon, color] = ICONS[event.type] ?? [IconSettings, 'gray'];
  const told = event.actor && event.actor !== event.userId && (event.actor !== 'system' || event.type === 'session_ended');
  // Users are told that it was an administrator, administrators who.
  const actor = told ? (admin && event.actor === 'admin' ? event.actor : ((t.security.by as Record<string, string>)[event.actor ?? ''] ?? event.actor)) : null;
  const facts = [admin && event.userId, useDetails(event), event.ipAddress].filter(Boolean).join(' · ');
  return (
    <Group component="li" className="row" wrap="nowrap" gap="md" align="flex-start" data-testid="event" data-type={event.type}>
      <ThemeIcon variant="light" color={color} size={36} radius="xl" style={{ flexShrink: 0 }}><EventIcon size={18} stroke={1.7} aria-hidden /></ThemeIcon>
      <div style={{ flex: 1, minWidth: 0 }}>
        <Group gap="0 8px" justify="space-between">
          <Group gap={8}>
            <Text size="sm" fw={600}>{t.events[`${event.type}:${event.details.state ?? ''}`] ?? t.events[event.type] ?? event.type}</Text>
            {actor && <Badge size="sm" variant="light" color="gray">{actor}</Badge>}
          </Group>
          <Tooltip label={format.dateTime(event.at)}>
            <Text size="sm" c="dimmed" component="time" dateTime={event.at}>{format.relative(event.at)}</Text>
          </Tooltip>
        </Group>
        {facts && <Text size="sm" c="dimmed" mt={1} style={{ overflowWrap: 'anywhere' }}>{facts}</Text>}
      </div>
    </Group>
  );
}

/** What is worth telling of an event's details. */
function useDetails({ details }: SecurityEvent): string {
  const { t } = useWords();
  const format = useFormat();
  const { alert, reason, device, country, note, matched, ended } = details;
  return [
    alert && (t.alerts[alert] ?? alert),
    reason && (t.endReason[reason as EndReason] ?? reason),
    device && format.kind(device),
    country && format.country(country),
    matched && ended && t.admin.progress(Number(ended), Number(matched)),
    note && `“${note}”`,
  ]
    .filter(Boolean)
    .join(' · ');
}
