'use client';

import { notifications } from '@mantine/notifications';
import { IconAlertTriangle, IconDeviceLaptop } from '@tabler/icons-react';
import { useSecurityAlerts, useVigil } from '@vigilhq/client/react';
import { useEffect } from 'react';
import { useFormat } from '@/lib/format';
import { useWords } from '@/lib/i18n';

/** Says at once when somebody signs in elsewhere, and what is unusual about it. */
export function Toasts() {
  const { t } = useWords();
  const { client } = useVigil();
  const format = useFormat();

  useEffect(
    () =>
      client.on('started', ({ session }) => {
        notifications.show({
          id: `started-${session.id}`,
          color: 'iris',
          icon: <IconDeviceLaptop size={18} aria-hidden />,
          title: t.toasts.started,
          message: t.toasts.startedText(format.device(session), format.place(session)),
        });
      }),
    [client, format, t],
  );

  useSecurityAlerts((alert) => {
    notifications.show({
      color: 'red',
      icon: <IconAlertTriangle size={18} aria-hidden />,
      title: t.toasts.alert,
      message: t.alerts[alert.type] ?? alert.type,
      autoClose: false,
    });
  });

  return null;
}
