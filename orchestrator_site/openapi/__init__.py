"""The OpenAPI document of the REST API. It is made from the tables of the views, and only when somebody asks."""
