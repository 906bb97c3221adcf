import rateLimiter from '@convex-dev/rate-limiter/convex.config.js'
/* block config */
app.use(rateLimiter)
