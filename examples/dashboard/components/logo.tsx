import { Group, Text } from '@mantine/core';

/** The sign and the name. */
export function Logo({ name }: { name: string }) {
  return (
    <Group gap={10} wrap="nowrap">
      <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden>
        <rect width="32" height="32" rx="8" fill="var(--mantine-color-iris-6)" />
        <path
          d="M5.5 16c2.9-4.7 6.4-7 10.5-7s7.6 2.3 10.5 7c-2.9 4.7-6.4 7-10.5 7S8.4 20.7 5.5 16Z"
          fill="none"
          stroke="#fff"
          strokeWidth="2.2"
          strokeLinejoin="round"
        />
        <circle cx="16" cy="16" r="3.4" fill="#fff" />
      </svg>
      <Text fw={700} fz="lg" lts="-0.02em">{name}</Text>
    </Group>
  );
}
