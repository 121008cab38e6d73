/**
 * @typedef {{ code: number, output: string, errors: string }} Printed
 * @typedef {{ unreachable?: string, problems: string[] }} Verdict unreachable: what was not checked, and why
 */

/**
 * Reads the result of `cargo deny check advisories`, whose exit code is the same for a finding and an unreachable database.
 *
 * @param {Printed} printed
 * @returns {Verdict}
 */
export function denyProblems({ code, output, errors }) {
  if (code === 0) return { problems: [] }
  if (errors.includes('failed to fetch advisory database')) {
    return { unreachable: 'advisories against crates; the database cannot be fetched here', problems: [] }
  }
  return { problems: [`crates: advisories\n${output}${errors}`] }
}

/**
 * Reads the result of `npm audit --json`. A registry without that endpoint, or without an answer, is not a finding.
 *
 * @param {string} folder
 * @param {Printed} printed
 * @returns {Verdict}
 */
export function auditProblems(folder, { code, output, errors }) {
  /** @type {{ vulnerabilities?: Record<string, { severity: string }>, error?: unknown, message?: string }} */
  const report = parsed(output)
  if (report.vulnerabilities === undefined) {
    const noAnswer = `${report.message ?? ''}${errors}`
    if (/audit endpoint|\/-\/npm\/v1\/security|ENOTFOUND|ECONNREFUSED|EAI_AGAIN/.test(noAnswer)) {
      return { unreachable: `advisories against npm packages of ${folder}; the registry does not answer`, problems: [] }
    }
    return { problems: [`npm audit in ${folder} ended with ${code}: ${noAnswer}`] }
  }
  const found = Object.entries(report.vulnerabilities)
  return {
    problems: found.map(([name, { severity }]) => `npm package ${name} of ${folder}: ${severity}; see npm audit`),
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
