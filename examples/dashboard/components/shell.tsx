'use client';

import { AppShell, Burger, Center, Group, Loader, NavLink, ScrollArea } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconDevices, IconShieldLock, IconUserCog } from '@tabler/icons-react';
import { useVigil } from '@vigilhq/client/react';
import Link from 'next/link';
import { usePathname, useRouter } from 'next/navigation';
import { useEffect, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { useWords } from '@/lib/i18n';
import { signInPath } from '@/lib/next-path';
import { useAccount } from './account';
import { Connection, ConnectionBanner } from './connection';
import { IdleDialog } from './idle-dialog';
import { Logo } from './logo';
import { NoSession } from './no-session';
import { Toasts } from './toasts';
import { Preferences } from './preferences';
import { UserMenu } from './user-menu';

/** The frame of every page behind the sign-in. Without a user it leads there. */
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useWords();
  const { user, isAdmin } = useAccount();
  const { status, error } = useVigil();
  const router = useRouter();
  const path = usePathname();
  const [opened, { toggle, close }] = useDisclosure();
  const burger = useRef<HTMLButtonElement>(null);
  const leave = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !opened) return;
    close();
    burger.current?.focus();
  };

  useEffect(() => {
    if (user === null) router.replace(signInPath());
  }, [user, router]);

  if (!user) {
    return (
      <Center mih="100dvh" component="main">
        <Loader aria-label={t.loading} />
      </Center>
    );
  }

  if (status === 'idle' && error) return <NoSession error={error} />;

  const links = [
    { href: '/', label: t.nav.sessions, icon: IconDevices, active: path === '/' },
    { href: '/security', label: t.nav.security, icon: IconShieldLock, active: path === '/security' },
    ...(isAdmin ? [{ href: '/admin', label: t.nav.admin, icon: IconUserCog, active: path.startsWith('/admin') }] : []),
  ];
  return (
    <>
      <a href="#content" className="skip-link">{t.skip}</a>
      <AppShell header={{ height: 60 }} navbar={{ width: 232, breakpoint: 'sm', collapsed: { mobile: !opened } }} padding={{ base: 'md', sm: 'xl' }}>
        <AppShell.Header>
          <Group h="100%" px={{ base: 'md', sm: 'lg' }} justify="space-between" wrap="nowrap">
            <Group gap="sm" wrap="nowrap">
              <Burger ref={burger} opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={opened ? t.nav.close : t.nav.open} aria-expanded={opened} />
              <Logo name={t.brand} />
            </Group>
            <Group gap="sm" wrap="nowrap">
              <Connection />
              <Preferences />
              <UserMenu />
            </Group>
          </Group>
        </AppShell.Header>
        <AppShell.Navbar p="sm" aria-label={t.nav.label} className="navigation" data-opened={opened || undefined} onKeyDown={leave}>
          <AppShell.Section grow component={ScrollArea}>
            {links.map(({ href, label, icon: Icon, active }) => (
              <NavLink
                key={href}
                component={Link}
                href={href}
                label={label}
                active={active}
                aria-current={active ? 'page' : undefined}
                leftSection={<Icon size={19} stroke={1.7} aria-hidden />}
                onClick={close}
                py={9}
                mb={2}
                fw={550}
                style={{ borderRadius: 'var(--mantine-radius-md)' }}
              />
            ))}
          </AppShell.Section>
        </AppShell.Navbar>
        <AppShell.Main id="content" tabIndex={-1} style={{ outline: 'none' }}>
          <ConnectionBanner />
          {children}
        </AppShell.Main>
      </AppShell>
      <IdleDialog />
      <Toasts />
    </>
  );
}
