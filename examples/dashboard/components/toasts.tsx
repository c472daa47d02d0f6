'use client';

import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDeviceLaptop } from '@tabler/icons-react';
import type { Session } from '@vigilhq/client';
import { useSecurityAlerts, useVigil } from '@vigilhq/client/react';
import { useEffect, useEffectEvent } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';

const HOLD = 2000; // milliseconds: longer than it mostly takes to hear that a sign-in has replaced another
const TOGETHER = 5000; // milliseconds between the two at most
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
    // A password that is confirmed elsewhere is a sign-in, too, and takes the place of the one there. The two are told in any order.
    let latest = { id: '', at: -Infinity };
    let replaced = -Infinity; // when one was whose successor has not been told of yet
    const recently = (at: number) => performance.now() - at < TOGETHER;
    const timers = new Map<string, ReturnType<typeof setTimeout>>();
    const off = [
      client.on('started', ({ session }) => {
        const expected = recently(replaced);
        replaced = -Infinity;
        if (expected) return;
        latest = { id: session.id, at: performance.now() };
        timers.set(session.id, setTimeout(() => tell(session), HOLD));
      }),
      client.on('closed', ({ reason }) => {
        if (reason !== 'replaced') return;
        if (recently(latest.at)) {
          clearTimeout(timers.get(latest.id));
          notifications.hide(nameOf(latest.id)); // on a slow line it may be there already
        } else {
          replaced = performance.now();
        }
        latest.at = -Infinity;
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
