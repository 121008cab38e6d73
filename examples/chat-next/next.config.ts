import type { NextConfig } from 'next'

// The addon of bailiwick is no JavaScript: Next.js leaves the package as it is, and copies all of it for `output: 'standalone'`.
const config: NextConfig = { serverExternalPackages: ['bailiwick'] }

export default config
