"""What does not depend on a request, made once a teacher: fold teachers, their answers, and the recipe."""
