import path from 'node:path';
import type { NextConfig } from 'next';

const config: NextConfig = {
  // The client package is a link to ../../client, which the bundler follows only below its root.
  turbopack: { root: path.join(import.meta.dirname, '../..') },
  poweredByHeader: false,
  devIndicators: false,
};

export default config;
