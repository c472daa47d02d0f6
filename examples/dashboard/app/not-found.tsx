'use client';

import { Button, Center, Stack, Text, Title } from '@mantine/core';
import Link from 'next/link';
import { DocumentTitle } from '@/components/states';
import { useWords } from '@/lib/i18n';

export default function NotFound() {
  const { t } = useWords();
  return (
    <Center mih="100dvh" px="md" component="main">
      <DocumentTitle title={t.notFound.title} />
      <Stack align="center" ta="center" gap="xs">
        <Title order={1} fz={28} lts="-0.02em">{t.notFound.title}</Title>
        <Text c="dimmed" mb="md">{t.notFound.text}</Text>
        <Button component={Link} href="/">{t.notFound.back}</Button>
      </Stack>
    </Center>
  );
}
