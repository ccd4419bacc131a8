"""What starts the jobs: written for cron, systemd and Kubernetes, and put in place here."""
