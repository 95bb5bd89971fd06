import { readFileSync } from "node:fs"

// The kernel reports process times in ticks of USER_HZ, which is 100 on every Linux that Node runs on.
const MICROSECONDS_PER_TICK = 10_000

/** CPU time that the process has used so far, user and system, all threads, in µs (10,000 µs steps: Linux's clock tick). */
export const cpuMicroseconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  // The second field, the command's name in parentheses, may itself contain spaces: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK
}

/** Memory of the process that is in RAM (VmRSS), in bytes. */
export const residentBytes = (pid: number): number => {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))
  if (line === null) throw new Error(`process ${pid} has no memory: it ended`)
  return Number(line[1]) * 1024
}
