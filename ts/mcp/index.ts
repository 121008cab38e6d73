export type { McpToolsChange } from './changes.ts'
export type { McpCall, McpClient, McpTool, McpToolPage } from './client.ts'
export { type McpTools, type McpToolsOptions, mcpTools } from './mcp-tools.ts'
