/** The most files that a folder holds. */
const mostFiles = 12

/**
 * Returns the folders that hold too many of these files.
 *
 * @param {readonly string[]} files
 */
export function folderProblems(files) {
  /** @type {Map<string, number>} */
  const folders = new Map()
  for (const file of files) {
    const folder = file.slice(0, file.lastIndexOf('/'))
    folders.set(folder, (folders.get(folder) ?? 0) + 1)
  }
  return [...folders].flatMap(([folder, count]) =>
    count > mostFiles ? [`${folder} has ${count} files; make folders, ${mostFiles} are allowed`] : [],
  )
}
