'use client';

import { Button, Center, Stack, Text, Title } from '@mantine/core';
import { DocumentTitle } from '@/components/states';
import { useWords } from '@/lib/i18n';

/** In place of a page that could not be shown. */
export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  const { t } = useWords();
  return (
    <Center mih="60dvh" px="md">
      <DocumentTitle title={t.toasts.failed} />
      <Stack align="center" ta="center" gap="xs" role="alert">
        <Title order={1} fz={28} lts="-0.02em">{t.toasts.failed}</Title>
        <Text c="dimmed" mb="md">{t.errors['other']}</Text>
        <Button onClick={reset}>{t.retry}</Button>
      </Stack>
    </Center>
  );
}
