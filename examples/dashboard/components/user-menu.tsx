'use client';

import { Avatar, Menu, Text, UnstyledButton, VisuallyHidden } from '@mantine/core';
import { IconDevices, IconLogout } from '@tabler/icons-react';
import { useVigil } from '@vigilhq/client/react';
import { useWords } from '@/lib/i18n';
import { useReport } from '@/lib/problems';
import { useAccount } from './account';

/** Who is signed in, and the ways out. */
export function UserMenu() {
  const { t } = useWords();
  const { user, email, leave } = useAccount();
  const { client } = useVigil();
  const report = useReport();
  const name = user?.displayName || email;

  const logOut = async () => {
    try {
      await client.logout();
    } catch {
      await leave('logout_unheard'); // who leaves a device must not have to wait for the service
    }
  };

  return (
    <Menu width={272}>
      <Menu.Target>
        <UnstyledButton style={{ borderRadius: '50%' }}>
          <Avatar name={name} color="iris" radius="xl" size={36} variant="light" />
          <VisuallyHidden>{t.nav.account}</VisuallyHidden>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text component="span" display="block" size="sm" fw={600} c="var(--mantine-color-text)" truncate>{name}</Text>
          {name !== email && <Text component="span" display="block" size="xs" truncate>{email}</Text>}
        </Menu.Label>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={17} aria-hidden />} onClick={logOut}>
          {t.nav.logout}
        </Menu.Item>
        <Menu.Item c="var(--mantine-color-error)" leftSection={<IconDevices size={17} aria-hidden />} onClick={() => client.logout(true).catch(report)}>
          {t.nav.logoutEverywhere}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
