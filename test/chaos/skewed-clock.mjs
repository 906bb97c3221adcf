// Loaded before everything else of a process whose clock is wrong: CLOCK_AHEAD milliseconds ahead.
const ahead = Number(process.env.CLOCK_AHEAD ?? 0)
const now = Date.now.bind(Date)
const RealDate = Date
if (ahead !== 0) {
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      if (parts.length === 0) super(now() + ahead)
      else super(...parts)
    }
    static now() {
      return now() + ahead
    }
  }
}
