'use client';

import { Badge, Group, Text, ThemeIcon, Tooltip } from '@mantine/core';
import type { Session } from '@vigilhq/client';
import type { ReactNode } from 'react';
import {
  IconBrandChrome, IconBrandEdge, IconBrandFirefox, IconBrandSafari, IconDeviceDesktop, IconDeviceMobile, IconDeviceTablet,
  IconDevices, IconRobot, type Icon,
} from '@tabler/icons-react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';
import { UserLink } from './user-link';

const TYPES: Record<Session['device']['type'], Icon> = {
  desktop: IconDeviceDesktop,
  mobile: IconDeviceMobile,
  tablet: IconDeviceTablet,
  bot: IconRobot,
  other: IconDevices,
};

const BROWSERS: [string, Icon][] = [
  ['Chrom', IconBrandChrome],
  ['Edge', IconBrandEdge],
  ['Firefox', IconBrandFirefox],
  ['Safari', IconBrandSafari],
];

/** What kind of device it is, with its browser where that has a sign. */
export function DeviceIcon({ session, size = 44 }: { session: Session; size?: number }) {
  const { t } = useWords();
  const Type = TYPES[session.device.type];
  const Browser = BROWSERS.find(([name]) => session.device.browser.includes(name))?.[1];
  return (
    <div style={{ position: 'relative', flexShrink: 0 }}>
      <ThemeIcon size={size} radius="md" variant="light" color={session.current ? 'iris' : 'gray'} role="img" aria-label={t.devices[session.device.type]}>
        <Type size={size * 0.54} stroke={1.5} aria-hidden />
      </ThemeIcon>
      {Browser && (
        <ThemeIcon
          size={24}
          radius="xl"
          variant="default"
          style={{ position: 'absolute', right: -8, bottom: -7, background: 'var(--vigil-surface)', borderColor: 'var(--vigil-border)' }}
          aria-hidden
        >
          <Browser size={16} stroke={1.6} />
        </ThemeIcon>
      )}
    </div>
  );
}

/** A session: on what, where, and since when. */
export function SessionRow({ session, action, showUser, mark = true }: { session: Session; action?: ReactNode; showUser?: boolean; mark?: boolean }) {
  const { t } = useWords();
  const format = useFormat();
  const ended = session.status === 'ended' ? session.endedAt : undefined;
  const fresh = session.status === 'active' && (session.current || format.isFresh(session.lastActive));
  return (
    <Group
      component="li"
      className={session.current && mark ? 'row row-current' : 'row'}
      wrap="nowrap"
      align="flex-start"
      gap="md"
      data-testid="session"
      data-session={session.id}
      data-current={session.current || undefined}
    >
      <DeviceIcon session={session} />
      <div style={{ flex: 1, minWidth: 0 }}>
        <Group gap={8}>
          <Text fw={600} style={{ overflowWrap: 'anywhere' }}>{format.device(session)}</Text>
          {session.current && <Badge variant="light" data-testid="this-device">{t.sessions.thisDevice}</Badge>}
          {session.status === 'ended' && session.endReason && <Badge variant="light" color="gray">{t.endReason[session.endReason]}</Badge>}
        </Group>
        <Group gap="2px 14px" mt={2} c="dimmed" fz="sm" style={{ overflowWrap: 'anywhere' }}>
          {showUser && <UserLink uid={session.userId} />}
          {session.device.name && <span>{format.software(session)}</span>}
          <span>{format.place(session)}</span>
          <span>{session.ipAddress || t.unknown}</span>
        </Group>
        <Group gap="2px 14px" mt={2}>
          <Group gap={6} wrap="nowrap">
            {fresh && <span style={{ width: 7, height: 7, borderRadius: '50%', background: 'var(--mantine-color-green-6)' }} aria-hidden />}
            <Tooltip label={format.dateTime(ended ?? session.lastActive)}>
              <Text size="sm" component="time" dateTime={ended ?? session.lastActive} c={fresh ? 'var(--mantine-color-green-light-color)' : 'dimmed'} fw={fresh ? 550 : undefined}>
                {ended
                  ? t.userPage.ended(format.relative(ended))
                  : fresh ? t.sessions.activeNow : t.sessions.active(format.relative(session.lastActive))}
              </Text>
            </Tooltip>
          </Group>
          <Text size="sm" c="dimmed">{t.sessions.signedIn(format.relative(session.createdAt))}</Text>
        </Group>
      </div>
      {action}
    </Group>
  );
}
