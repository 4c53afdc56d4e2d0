"""Settings, an application and jobs that behave as badly as those of a site may."""
