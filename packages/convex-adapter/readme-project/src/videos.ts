import { api } from '../convex/_generated/api'
/* block hooks */
