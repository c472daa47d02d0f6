'use client';

import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDeviceLaptop } from '@tabler/icons-react';
import type { Session } from '@vigilhq/client';
import { useSecurityAlerts, useVigil } from '@vigilhq/client/react';
import { useEffect, useEffectEvent } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';

const HOLD = 2000; // milliseconds: longer than it takes to hear that a sign-in has replaced another
const ALERT = 30_000; // milliseconds that an alert stays

const nameOf = (id: string) => `started-${id}`;

/** Says at once when somebody signs in elsewhere, and what is unusual about it. */
export function Toasts() {
  const { t } = useWords();
  const { client } = useVigil();
  const format = useFormat();

  const tell = useEffectEvent((session: Session) => {
    notifications.show({
      id: nameOf(session.id),
      color: 'iris',
      icon: <IconDeviceLaptop size={18} aria-hidden />,
      title: t.toasts.started,
      message: t.toasts.startedText(format.device(session), format.place(session)),
    });
  });

  useEffect(() => {
    // A password that is confirmed elsewhere is a sign-in, too, and the next thing heard is that it has taken the place of the one there.
    let latest: { id: string; timer: ReturnType<typeof setTimeout> } | undefined;
    const timers = new Set<ReturnType<typeof setTimeout>>();
    const off = [
      client.on('started', ({ session }) => {
        const timer = setTimeout(() => {
          timers.delete(timer);
          tell(session);
        }, HOLD);
        timers.add(timer);
        latest = { id: session.id, timer };
      }),
      client.on('closed', ({ reason }) => {
        if (reason !== 'replaced' || !latest) return;
        clearTimeout(latest.timer);
        notifications.hide(nameOf(latest.id)); // on a slow line it may be there already
        latest = undefined;
      }),
    ];
    return () => {
      for (const stop of off) stop();
      timers.forEach(clearTimeout);
    };
  }, [client]);

  useSecurityAlerts((alert) => {
    notifications.show({
      id: `alert-${alert.type}`, // the same once more says nothing new
      color: 'red',
      icon: <IconAlertTriangle size={18} aria-hidden />,
      title: t.toasts.alert,
      message: t.alerts[alert.type] ?? alert.type,
      autoClose: ALERT,
    });
  });

  // What is told to one person is not for the next.
  useEffect(
    () => () => {
      notifications.cleanQueue();
      notifications.clean();
    },
    [],
  );

  return null;
}
