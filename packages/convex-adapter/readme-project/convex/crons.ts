import { cronJobs } from 'convex/server'
import { internal } from './_generated/api'

const crons = cronJobs()
/* block cron as retention */
export default crons
