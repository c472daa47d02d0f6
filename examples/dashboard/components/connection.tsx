'use client';

import { Alert, Badge, Box, VisuallyHidden } from '@mantine/core';
import { useNetwork } from '@mantine/hooks';
import { IconCloudOff } from '@tabler/icons-react';
import { useVigil } from '@vigilhq/client/react';
import { useEffect, useState } from 'react';
import { useWords } from '@/lib/i18n';

const PATIENCE = 1500; // milliseconds: a short break is no news

type Reach = 'connecting' | 'live' | 'reconnecting' | 'offline';

function useReach(): Reach {
  const { status } = useVigil();
  const { online } = useNetwork();
  if (!online) return 'offline';
  if (status === 'live') return 'live';
  return status === 'reconnecting' ? 'reconnecting' : 'connecting';
}

const COLORS: Record<Reach, string> = { connecting: 'gray', live: 'green', reconnecting: 'yellow', offline: 'red' };

/** Whether the page hears from the service, in the header. */
export function Connection() {
  const { t } = useWords();
  const reach = useReach();
  const dot = <Box w={7} h={7} bg="currentColor" style={{ borderRadius: '50%' }} aria-hidden />;
  return (
    <div role="status" data-testid="connection" data-state={reach}>
      <Badge variant="light" color={COLORS[reach]} radius="xl" size="lg" fz="xs" leftSection={dot} visibleFrom="xs">
        {t.connection[reach]}
      </Badge>
      <Box hiddenFrom="xs" c={`${COLORS[reach]}.6`} p={6}>
        {dot}
        <VisuallyHidden>{t.connection[reach]}</VisuallyHidden>
      </Box>
    </div>
  );
}

/** Says so on the page when the service cannot be reached for a while, and that nobody is signed out for it. */
export function ConnectionBanner() {
  const { t } = useWords();
  const reach = useReach();
  const away = reach === 'reconnecting' || reach === 'offline';
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!away) return;
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [away]);

  if (!away || !late) return null;
  return (
    <Alert mb="lg" color={COLORS[reach]} icon={<IconCloudOff />} role="status" data-testid="connection-banner">
      {reach === 'offline' ? t.connection.offlineText : t.connection.reconnectingText}
    </Alert>
  );
}
