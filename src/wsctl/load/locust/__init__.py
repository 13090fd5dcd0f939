"""The Locust process of a load: the only part that knows Locust and gevent. Importing Locust patches the process."""
