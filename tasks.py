from invoke.tasks import task


@task
def hello(c):
    print("hi")
