import { createWorker, stopOnSignals } from '@kinora/worker'

const worker = createWorker({
  apiUrl: process.env.API_URL!,
  workerToken: process.env.WORKER_TOKEN!,
  engine: 'camera', // or 'ltx', with engineOptions: { modelPath: 'Lightricks/LTX-Video' }
  maxIdleSeconds: 0, // never give up; rented machines end themselves after 300
})
stopOnSignals(worker) // SIGTERM gives a running job back
await worker.run()
